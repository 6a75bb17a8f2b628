"""Where the time went."""

from __future__ import annotations

from search.account import KINDS
from search.report.charts.bars import Bar, bars
from search.report.markup import NOTHING, Markup, element
from search.report.report import Report
from search.report.sections.parts import figure, paragraphs, section
from search.view import words
from search.view.answer import account_sentence


def time(report: Report) -> Markup:
    """The section; nothing where nobody told."""
    account = report.result.account
    if account is None:
        return NOTHING
    kinds = sorted(
        (kind for kind in account.seconds if account.seconds[kind] > 0),
        key=lambda kind: -account.seconds[kind],
    )
    rows = [
        Bar(
            KINDS.get(kind, kind),
            account.share(kind),
            f"{words.clock(account.seconds[kind])}  {account.share(kind):.0%}",
        )
        for kind in kinds
    ]
    said = ", ".join(f"{kind} {account.share(kind):.0%}" for kind in kinds)
    return section(
        "time",
        "Where the time went",
        paragraphs([account_sentence(account)]),
        element(
            "div",
            figure(bars(f"The workers' time: {said}", rows), "The workers' time by kind"),
            class_="charts",
        ),
    )
