"""Mean scores at the values of two parameters, a cell each with its figure in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from search.report.charts.frame import WIDTH, drawing, label, titled
from search.report.charts.scale import cut, width_of
from search.report.markup import Markup, element
from search.view import words
from spaces import Value

ROW, LEVELS = 24, 7
"""Height of a row, and how many shades there are."""


def heat(
    says: str,
    names: tuple[str, str],
    rows: Sequence[Value],
    columns: Sequence[Value],
    cells: Sequence[Sequence[float]],
) -> Markup:
    """The chart; a cell that no recipe has is empty.

    Args:
        says: What it shows.
        names: Of the parameters, that of the rows first.
        rows: Values of the first.
        columns: Values of the second.
        cells: A row of mean scores for each of `rows`; NaN where there is none.
    """
    known = [cell for row in cells for cell in row if math.isfinite(cell)]
    low, span = min(known), max(max(known) - min(known), 1e-12)
    down, across = ([words.number(value) for value in values] for values in (rows, columns))
    left = min(max(map(width_of, down)) + 8, 130)
    width = (WIDTH - left) / len(columns)
    tilted = max(map(width_of, across)) > width - 4
    top = 24 + (min(max(map(width_of, across)), 120) * 0.75 + 6 if tilted else 16)
    marks = [label(0, 12, cut(f"{names[0]} (down), {names[1]} (across)", WIDTH), class_="quiet")]
    for column, name in enumerate(across):
        x = left + (column + 0.5) * width
        if tilted:
            marks.append(_tilted(x, top - 6, cut(name, 120)))
        else:
            marks.append(label(x, top - 6, name, "middle"))
    for index, (name, row) in enumerate(zip(down, cells, strict=True)):
        y = top + index * ROW
        marks.append(label(left - 6, y + 16, cut(name, left), "end"))
        for column, cell in enumerate(row):
            if not math.isfinite(cell):
                continue
            level = min(int((cell - low) / span * LEVELS), LEVELS - 1)
            x = left + column * width
            says_cell = f"{names[0]} {name}, {names[1]} {across[column]}: {words.score(cell)}"
            marks.append(
                titled("rect", says_cell, x=x, y=y, width=width - 1, height=ROW - 1, class_=f"heat s{level}")
            )
            figure = words.score(cell) if width >= 38 else f"{cell:.2f}"
            marks.append(label(x + width / 2 - 0.5, y + 16, figure, "middle", f"t{level}"))
    return drawing(says, top + ROW * len(rows), *marks)


def _tilted(x: float, y: float, text: str) -> Markup:
    return element("text", text, transform=f"translate({x + 4:.1f} {y:.1f}) rotate(-45)")
