"""What mattered: shares of the variance, mean scores by the values of each parameter, the strongest pair."""

from __future__ import annotations

from collections.abc import Sequence

from search.answer.estimate import NORMAL
from search.insight.effects import Effect, Interaction
from search.report.charts.bars import Bar, bars
from search.report.charts.heat import heat
from search.report.charts.marginal import marginal
from search.report.charts.scale import around
from search.report.markup import NOTHING, Markup, element, joined
from search.report.report import Report
from search.report.sections.parts import figure, paragraphs, section, table
from search.report.values import kind_of
from search.view import words
from search.view.insight import mattered as sentences
from spaces import Value

MOST_BARS, MOST_MARGINALS = 16, 8
"""Parameters that are drawn; the file of figures has all of them."""


def mattered(report: Report) -> Markup:
    """The section; nothing without trials."""
    if not report.result.trials:
        return NOTHING
    effects = report.insight.effects
    if not effects:
        return section("mattered", "What mattered", paragraphs(sentences(report.insight)))
    left = max(len(effects) - MOST_BARS, 0)
    note = "Filled: told from chance. Outlined: not told from chance."
    pairs = [pair for pair in report.insight.interactions if pair.share > 0]
    return section(
        "mattered",
        "What mattered",
        element(
            "div",
            element(
                "div",
                _table(report.insight.told) if report.insight.told else NOTHING,
                paragraphs(sentences(report.insight)),
                _pair(pairs[0]) if pairs else NOTHING,
            ),
            figure(_shares(effects[:MOST_BARS]), "Share of the variance of scores", note),
            class_="charts",
        ),
        paragraphs(
            [f"The {left} least of {len(effects)} parameters are in the file of figures alone."]
            if left
            else [],
            "quiet",
        ),
        _marginals(report, effects),
    )


def _table(effects: Sequence[Effect]) -> Markup:
    rows = [
        [
            effect.name,
            f"{effect.share:.0%}",
            words.NONE if effect.density is None else f"{effect.density:.0%}",
            words.number(effect.best),
            words.number(effect.worst),
            f"{words.score(effect.gain)} ± {words.score(effect.margin)}",
        ]
        for effect in effects
    ]
    heads = ["parameter", "share", "PED-ANOVA", "best", "worst", "from worst to best"]
    said = (
        "PED-ANOVA: how the best tenth of the trials differ from all of them. It says where the good trials are, not "
        "what made them good."
    )
    return joined([table(heads, rows, words=(0,)), paragraphs([said], "quiet")])


def _shares(effects: Sequence[Effect]) -> Markup:
    rows = [Bar(effect.name, effect.share, f"{effect.share:.0%}", effect.told) for effect in effects]
    said = ", ".join(f"{row.name} {row.figure}" for row in rows)
    return bars(f"Share of the variance of scores by parameter: {said}", rows)


def _marginals(report: Report, effects: Sequence[Effect]) -> Markup:
    shown = effects[:MOST_MARGINALS]
    reach = [
        mean + sign * NORMAL * deviation
        for effect in shown
        for mean, deviation in zip(effect.marginal.means, effect.marginal.deviations, strict=True)
        for sign in (-1, 1)
    ]
    low, high = around([float(value) for value in reach])
    if all(
        0 <= mean <= 1 for effect in shown for mean in effect.marginal.means
    ):  # shares, whatever the band says
        low, high = max(low, 0.0), min(high, 1.0)
    rest = f" The first {len(shown)} of {len(effects)} parameters." if len(effects) > len(shown) else ""
    return element(
        "div",
        element("h3", "Mean score at the full budget by the values of one parameter"),
        paragraphs(
            [
                "Means over all else that the space allows, by a model of all trials; bands are 95 % intervals. "
                f"The dashed line or the arrow is the winner's value.{rest}"
            ],
            "quiet",
        ),
        element("div", *(_marginal(report, effect, (low, high)) for effect in shown), class_="small-charts"),
    )


def _marginal(report: Report, effect: Effect, ends: tuple[float, float]) -> Markup:
    leaf = report.space.leaves()[effect.qualified[0]]
    ends_at = f"highest at {words.number(effect.best)}, lowest at {words.number(effect.worst)}"
    said = f"Mean score by {effect.name}: {ends_at}"
    chart = marginal(
        said,
        effect.marginal.values,
        [float(mean) for mean in effect.marginal.means],
        [float(deviation) for deviation in effect.marginal.deviations],
        ends,
        kind_of(leaf),
        _won(report, effect),
    )
    told = f"{effect.share:.0%}" + ("" if effect.told else ", not told from chance")
    branches = [f"{switch} {' or '.join(options)}" for switch, options in effect.branches.items()]
    return figure(chart, effect.name, told + (f"; only with {', '.join(branches)}" if branches else ""))


def _won(report: Report, effect: Effect) -> Value | None:
    winner = report.winner
    if winner is None:
        return None
    return next((winner.params[name] for name in effect.qualified if name in winner.params), None)


def _pair(pair: Interaction) -> Markup:
    cells = [[float(cell) for cell in row] for row in pair.means]
    first, second = pair.names
    share = f"{pair.share:.0%}" if pair.share >= 0.01 else "less than 1%"
    chart = heat(f"Mean score by {first} and {second}", (first, second), *pair.values, cells)
    return figure(
        chart,
        f"{first} with {second}",
        f"What counts only together is {share} of the variance, the most of any pair. Darker is better "
        "(on a dark page, lighter); mean scores over all else.",
    )
