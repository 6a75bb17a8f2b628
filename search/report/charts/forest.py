"""Effects with their intervals about zero, grouped by what was changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.report.charts.frame import WIDTH, below, drawing, label, line, titled
from search.report.charts.scale import Scale, cut, width_of
from search.report.markup import Markup

HEAD, ROW, LEFT, RIGHT = 24, 20, 112, 148
"""Heights of a group's name and of a row; room for what was changed and for the figure."""


@dataclass(frozen=True)
class Twig:
    """One effect.

    Args:
        group: What was changed.
        name: To what.
        value: The effect; none where nothing came of it.
        margin: Half the width of its interval, where there is one.
        figure: The same in writing.
        kind: ``better``, ``worse`` or neither.
    """

    group: str
    name: str
    value: float | None
    margin: float | None
    figure: str
    kind: str = ""


def forest(says: str, rows: Sequence[Twig]) -> Markup:
    """The chart."""
    ends = [
        end
        for row in rows
        if row.value is not None
        for end in (row.value - (row.margin or 0.0), row.value + (row.margin or 0.0))
    ]
    reach = max(map(abs, ends), default=0.01) or 0.01
    across = Scale(-reach, reach, LEFT, WIDTH - RIGHT)
    marks: list[str] = []
    y, group = 0.0, None
    for row in rows:
        if row.group != group:
            group = row.group
            marks.append(label(0, y + 17, cut(group, WIDTH), class_="strong"))
            y += HEAD
        if width_of(row.name) > LEFT - 14:  # a line of its own
            marks.append(label(8, y + ROW / 2 + 4, cut(row.name, WIDTH)))
            y += ROW - 4
        middle = y + ROW / 2
        marks += [
            label(8, middle + 4, row.name if width_of(row.name) <= LEFT - 14 else ""),
            label(WIDTH, middle + 4, row.figure, "end", row.kind or None),
        ]
        if row.value is not None:
            margin = row.margin or 0.0
            marks += [
                line(across(row.value - margin), middle, across(row.value + margin), middle, f"interval {row.kind}"),
                titled("circle", f"{row.group} {row.name}: {row.figure}", cx=across(row.value), cy=middle, r=3.5,
                       class_=f"dot {row.kind}"),
            ]  # fmt: skip
        y += ROW
    axis = [below(across, y + 4, 18, most=4), line(across(0), 18, across(0), y + 4, "zero")]
    return drawing(says, y + 24, *axis, *marks)
