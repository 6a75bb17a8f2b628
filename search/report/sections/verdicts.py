"""What to look at: verdicts with their evidence, and the command that follows."""

from __future__ import annotations

from search.report.markup import NOTHING, Markup, element
from search.report.report import Report
from search.report.sections.parts import command, paragraphs, section
from search.verdicts.verdict import Verdict
from search.view import words


def verdicts(report: Report) -> Markup:
    """The section; that there is nothing is said, where there is a winner to say it of."""
    if not report.verdicts:
        return (
            NOTHING
            if report.winner is None
            else section("verdicts", "What to look at", paragraphs(["Nothing."]))
        )
    return section("verdicts", "What to look at", *(_verdict(report, one) for one in report.verdicts))


def _verdict(report: Report, one: Verdict) -> Markup:
    typed = one.command(report.result.name)
    return element(
        "div",
        element("h3", one.kind),
        element("p", words.one_line(one.says, 400)),
        element("p", words.one_line(one.evidence, 600), class_="quiet"),
        command(typed + report.elsewhere) if typed else NOTHING,
        class_="verdict",
    )
