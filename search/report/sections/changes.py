"""One thing at a time: what changing a parameter of the winner does, trained and not modelled."""

from __future__ import annotations

from search.answer.changes import Change
from search.report.charts.forest import Twig, forest
from search.report.markup import NOTHING, Markup, element
from search.report.report import Report
from search.report.sections.parts import command, figure, paragraphs, section
from search.view import words
from search.view.changes import effect
from search.view.changes import sentences as said

MOST = 60
"""Changes that are drawn."""


def changes(report: Report) -> Markup:
    """The section; where nothing was changed yet, how it can be."""
    title = "One thing at a time"
    found = report.result.changes
    if found is None or not found.changes:
        if report.winner is None:
            return NOTHING
        offer = "Nothing was changed about the winner yet. This trains it again with one parameter changed at a time:"
        return section(
            "changes",
            title,
            paragraphs([offer]),
            command(f"finetune-search perturb {report.result.name}{report.elsewhere}"),
        )
    rows = [_twig(one) for one in found.changes[:MOST]]
    more = len(found.changes) - len(rows)
    note = "Changed less unchanged; right of zero is better than the winner."
    return section(
        "changes",
        title,
        paragraphs(said(found)),
        element(
            "div",
            figure(
                forest("Effects of changing one parameter of the winner, with intervals", rows),
                "Effect on the score",
                note,
            ),
            class_="charts",
        ),
        paragraphs(
            [f"{words.count(more, 'change')} more are in the file of figures."] if more else [], "quiet"
        ),
    )


def _twig(one: Change) -> Twig:
    kind = {"better": "better", "worse": "worse", "fails": "worse"}.get(one.verdict, "")
    figure_ = effect(one).replace("-", "−") + (
        f" {one.verdict}" if one.verdict in {"better", "worse"} else ""
    )
    group = f"{one.parameter}, the winner's: {words.number(one.before)}"
    return Twig(group, f"→ {words.number(one.after)}", one.effect, one.margin, figure_, kind)
