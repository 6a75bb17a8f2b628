"""Was stopping early safe: how early epochs rank trials, and what the stopped ones lacked."""

from __future__ import annotations

from collections.abc import Sequence

from search.insight.rungs import Agreement, Stopped
from search.report.markup import NOTHING, Markup, element, joined
from search.report.report import Report
from search.report.sections.parts import paragraphs, section, table
from search.view import words
from search.view.insight import stopping as sentences

MOST = 200
"""Stopped trials that are listed."""


def stopping(report: Report) -> Markup:
    """The section; nothing where no trial was stopped."""
    insight = report.insight
    return section(
        "stopping",
        "Was stopping early safe?",
        paragraphs(sentences(insight)),
        _rungs(insight.agreements) if insight.agreements else NOTHING,
        _stopped(insight.stopped) if insight.stopped else NOTHING,
    )


def _rungs(agreements: Sequence[Agreement]) -> Markup:
    note = (
        "Spearman's correlation between scores at both epochs, among the trials that came to both, with its 95 % "
        "interval; “over the space” is the same over all recipes, as the model has it."
    )
    heads = ["after epoch", "against", "trials", "correlation", "over the space", "the best was"]
    return joined([table(heads, [_rung(one) for one in agreements]), paragraphs([note], "quiet")])


def _rung(one: Agreement) -> list[str]:
    interval = f"{one.correlation:.2f} [{one.low:.2f}, {one.high:.2f}]".replace("-", "−")
    modelled = words.NONE if one.modelled is None else f"{one.modelled:.2f}"
    place = f"{one.place} of {one.there}"
    return [str(one.epoch), str(one.later), str(one.trials), interval, modelled, place]


def _stopped(stopped: Sequence[Stopped]) -> Markup:
    heads = [
        "trial",
        "stopped after",
        "its score",
        "weakest that went on",
        "expected at the end",
        "chance to be best",
    ]
    shown = stopped[:MOST]
    which = f"{len(shown)} of {len(stopped)}" if len(shown) < len(stopped) else f"all {len(stopped)}"
    return element(
        "details",
        element(
            "summary", f"What stopped trials lacked ({which}, the likeliest to have been the best first)"
        ),
        table(heads, [_row(one) for one in shown]),
    )


def _row(one: Stopped) -> list[str]:
    chance = (
        words.NONE if one.chance is None else "< 0.1 %" if one.chance < 0.001 else words.percent(one.chance)
    )
    figures = [words.score(one.score), words.score(one.needed), words.score(one.expected)]
    return [str(one.number), f"epoch {one.epoch}", *figures, chance]
