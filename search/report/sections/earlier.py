"""What other studies of the same images found."""

from __future__ import annotations

from search.hypotheses.log import Entry
from search.report.markup import NOTHING, Markup, element
from search.report.report import Report
from search.report.sections.parts import section
from search.view import words


def earlier(report: Report) -> Markup:
    """The section; nothing where there is no other study."""
    listed = [element("div", element("dt", one.study), element("dd", _found(one))) for one in report.earlier]
    if not listed:
        return NOTHING
    return section(
        "earlier",
        "Other studies of the same data",
        element("p", "Of the very same images, labels and splits, in this store."),
        element("dl", *listed, class_="recipes"),
    )


def _found(one: Entry) -> str:
    said = "no trial is COMPLETE" if one.best is None else f"best score {words.score(one.best)}"
    if not one.hypothesis:
        return f"{said}."
    outcome = "open" if one.outcome is None else f"{one.outcome.verdict}: {one.outcome.evidence}"
    return words.one_line(f"{said}. Hypothesis: {one.hypothesis} ({outcome})", 800)
