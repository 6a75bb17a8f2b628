"""How the search went: learning curves, scores in the order of trials, trials across their parameters."""

from __future__ import annotations

from collections.abc import Sequence

from search.encoding import Encoding
from search.insight.variation import Variation
from search.report.charts.curves import Curve, curves
from search.report.charts.parallel import LEVELS, Coordinate, Thread, parallel
from search.report.charts.progress import Dot, progress
from search.report.markup import NOTHING, Markup, element
from search.report.report import Report
from search.report.sections.parts import figure, section
from search.report.values import kind_of
from search.result import TrialSummary
from search.view import words
from spaces import Choice

MOST, MOST_AXES, FEWEST = 250, 9, 3
"""Trials that are drawn as lines, parameters that they are drawn across, and trials from which on they are."""


def course(report: Report) -> Markup:
    """The section; nothing before the first score."""
    scored = [trial for trial in report.result.trials if trial.score is not None]
    if not scored:
        return NOTHING
    return section(
        "course",
        "How the search went",
        element("div", _curves(report), _parallel(report), _progress(report), class_="charts"),
    )


def _curves(report: Report) -> Markup:
    drawn = chosen(report, [trial for trial in report.result.trials if report.curves.get(trial.number)])
    if not drawn:
        return NOTHING
    winner = report.winner
    lines = []
    for trial in drawn:
        won = winner is not None and trial.number == winner.number
        kind = "winner" if won else "baseline" if trial.number == report.baseline else "complete"
        if kind == "complete" and trial.state != "COMPLETE":
            kind = "pruned"
        lines.append(Curve(name_of(trial), report.curves[trial.number], kind))
    note = "Dark: trained to the end. Faint: stopped early or unfinished." + _drawn(report, len(drawn))
    folds = " Of several folds, the first." if report.spec.trainings > 1 else ""
    chart = curves("Score after each epoch, a line a trial", lines, report.spec.epochs)
    return figure(chart, "Learning curves", note + folds)


def _progress(report: Report) -> Markup:
    winner = report.winner
    kinds = {"COMPLETE": "complete", "FAIL": "failed"}
    dots = [
        Dot(
            trial.number,
            trial.score,
            kinds.get(trial.state, "pruned"),
            name_of(trial),
            winner is not None and trial.number == winner.number,
        )
        for trial in report.result.trials
    ]
    failed = " Crosses: failed." if any(dot.kind == "failed" for dot in dots) else ""
    note = (
        f"Filled: trained to the end. Hollow: stopped early or unfinished.{failed} The ring is the winner, "
    )
    return figure(
        progress("Score by trial", dots),
        "Score by trial",
        f"{note}the line the best so far among those trained to the end.",
    )


def _parallel(report: Report) -> Markup:
    variation = Variation(Encoding(report.space))
    order = [effect.name for effect in report.insight.effects]
    ranks = {name: order.index(name) if name in order else len(order) for name in variation.names}
    names = sorted(variation.names, key=lambda name: ranks[name])[:MOST_AXES]
    drawn = chosen(report, [trial for trial in report.result.trials if trial.params])
    if not names or len(drawn) < FEWEST:
        return NOTHING
    axes = [_coordinate(report, variation, name, drawn) for name in names]
    ranked = sorted(trial.score for trial in report.result.trials if trial.score is not None)
    winner = report.winner
    threads = []
    for trial in drawn:
        below = 0.0 if trial.score is None else sum(score < trial.score for score in ranked) / len(ranked)
        threads.append(
            Thread(
                name_of(trial),
                [_place(report, variation, name, trial) for name in names],
                min(int(below * LEVELS), LEVELS - 1),
                winner is not None and trial.number == winner.number,
            )
        )
    left = len(variation.names) - len(names)
    which = "parameters that matter most" if order else "first parameters"
    note = "A line a trial; the stronger its colour, the higher its score; the thick one is the winner."
    note += " “None”: a recipe without that parameter." if any(axis.lacking for axis in axes) else ""
    note += f" The {len(names)} {which}; {left} more are in the table." if left else ""
    chart = parallel("Recipes of the trials across their parameters, coloured by score", axes, threads)
    return figure(chart, "Recipes and scores", note + _drawn(report, len(drawn)), "tall")


def _coordinate(
    report: Report, variation: Variation, name: str, trials: Sequence[TrialSummary]
) -> Coordinate:
    leaves = [report.space.leaves()[one] for one in variation.qualified(name)]
    lacking = any(not variation.has(name, trial.params) for trial in trials)
    first = leaves[0]
    if isinstance(first, Choice):
        options = [words.number(option) for option in first.options]
        return Coordinate(name, None, 0.0, max(len(options) - 1.0, 1.0), options, lacking)
    ends = [(leaf.low, leaf.high) for leaf in leaves if not isinstance(leaf, Choice)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return Coordinate(name, kind_of(first), float(low), float(high), (), lacking)


def _place(report: Report, variation: Variation, name: str, trial: TrialSummary) -> float | None:
    there = next((one for one in variation.qualified(name) if one in trial.params), None)
    if there is None:
        return None
    leaf, value = report.space.leaves()[there], trial.params[there]
    if isinstance(leaf, Choice):
        return float(leaf.options.index(value)) if value in leaf.options else None
    return float(value)


def chosen(report: Report, trials: Sequence[TrialSummary], most: int = MOST) -> list[TrialSummary]:
    """As many as can be told apart in a drawing: winner and baseline, the best, and every so many of the rest."""
    if len(trials) <= most:
        return list(trials)
    there = {trial.number for trial in trials}
    ranked = [trial.number for trial in report.result.ranking() if trial.number in there]
    named = [report.baseline, report.winner.number if report.winner is not None else None]
    kept = {number for number in named if number in there} | set(ranked[: most // 2])
    rest = [number for number in ranked if number not in kept]
    kept |= set(rest[:: -(-len(rest) // (most - len(kept)))])
    return [trial for trial in trials if trial.number in kept]


def _drawn(report: Report, count: int) -> str:
    whole = len(report.result.trials)
    if count >= whole or whole <= MOST:
        return ""
    return f" Of {whole} trials {count} are drawn: the best, and every so many of the rest."


def name_of(trial: TrialSummary) -> str:
    """A trial for whoever points at it."""
    return f"trial {trial.number}: {words.score(trial.score)}, {trial.state}, {words.count(trial.epochs, 'epoch')}"
