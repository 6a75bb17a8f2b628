"""Shares of a whole as bars, each under its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.report.charts.frame import WIDTH, drawing, label, titled
from search.report.charts.scale import cut, width_of
from search.report.markup import Markup, joined

ROW = 36


@dataclass(frozen=True)
class Bar:
    """One of them.

    Args:
        name: What it is.
        share: How long it is, in [0, 1].
        figure: What is written at its end.
        sure: Whether it is filled; one that may be chance is an outline.
    """

    name: str
    share: float
    figure: str
    sure: bool = True


def bars(says: str, rows: Sequence[Bar]) -> Markup:
    """The chart; its whole width is the whole."""
    return drawing(says, ROW * len(rows), *(_row(row, index * ROW) for index, row in enumerate(rows)))


def _row(row: Bar, top: float) -> Markup:
    length = max(WIDTH - 2, 1) * min(max(row.share, 0.0), 1.0)
    name = cut(row.name, WIDTH - width_of(row.figure) - 12)
    return joined(
        [
            label(1, top + 14, name),
            label(WIDTH - 1, top + 14, row.figure, "end", "strong" if row.sure else "quiet"),
            titled(
                "rect", f"{row.name}: {row.figure}", x=1, y=top + 19, width=max(length, 1.5), height=9,
                rx=1.5, class_="bar" if row.sure else "bar unsure",
            ),
        ]
    )  # fmt: skip
