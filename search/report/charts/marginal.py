"""The mean score by the values of one parameter, with how sure it is, and where the winner lies."""

from __future__ import annotations

from collections.abc import Sequence

from search.answer.estimate import NORMAL
from search.report.charts.frame import below, beside, drawing, label, line, path, titled
from search.report.charts.scale import Scale, cut
from search.report.markup import NOTHING, Markup, element, joined
from search.view import words
from spaces import Value

WIDTH, HEIGHT, LEFT, RIGHT, TOP, ROW = 200, 150, 38, 6, 10, 34


def marginal(
    says: str,
    values: Sequence[Value],
    means: Sequence[float],
    deviations: Sequence[float],
    ends: tuple[float, float],
    kind: str | None,
    won: Value | None,
) -> Markup:
    """The chart: a line with a band for numbers, a point with an interval an option.

    Args:
        says: What it shows.
        values: The parameter's.
        means: Mean score at each.
        deviations: Standard deviation of each.
        ends: Of the axis of scores, which several such charts share.
        kind: Of the parameter's axis, see `Scale`; none where values are options.
        won: The winner's value; none where it has none.
    """
    margins = [NORMAL * one for one in deviations]
    if kind is None:
        return _options(says, values, means, margins, ends, won)
    numbers = [float(value) for value in values]
    there = [*numbers, *([float(won)] if won is not None else [])]
    across = Scale(min(there), max(there), LEFT + 4, WIDTH - RIGHT - 4, kind)
    up = Scale(*ends, HEIGHT - 26, TOP)
    points = [(across(value), up(mean)) for value, mean in zip(numbers, means, strict=True)]
    upper = [
        (across(value), up(mean + margin))
        for value, mean, margin in zip(numbers, means, margins, strict=True)
    ]
    lower = [
        (across(value), up(mean - margin))
        for value, mean, margin in zip(numbers, means, margins, strict=True)
    ]
    here = NOTHING
    if won is not None:
        x = across(float(won))
        here = joined(
            [
                line(x, TOP, x, HEIGHT - 26, "wonline"),
                titled(
                    "path",
                    f"the winner's: {words.number(won)}",
                    d=f"M{x - 5:.1f} {TOP - 8}h10l-5 8z",
                    class_="wonmark",
                ),
            ]
        )
    return drawing(
        says,
        HEIGHT,
        below(across, HEIGHT - 26, TOP, most=4),
        beside(up, LEFT, WIDTH - RIGHT, most=4),
        element("path", d=path([*upper, *reversed(lower)]) + "Z", class_="band"),
        element("path", d=path(points), class_="curve"),
        *(
            titled("circle", f"{words.number(value)}: {words.score(mean)} ± {words.score(margin)}",
                   cx=x, cy=y, r=2.5, class_="dot")
            for (x, y), value, mean, margin in zip(points, values, means, margins, strict=True)
        ),
        here,
        width=WIDTH,
    )  # fmt: skip


def _options(
    says: str,
    values: Sequence[Value],
    means: Sequence[float],
    margins: Sequence[float],
    ends: tuple[float, float],
    won: Value | None,
) -> Markup:
    height = ROW * len(values) + 24
    across = Scale(*ends, 10, WIDTH - 12)
    rows = []
    for index, (value, mean, margin) in enumerate(zip(values, means, margins, strict=True)):
        y = index * ROW + 24
        name, ours = words.number(value), value == won
        written = f"{name} ◂ winner" if ours else name
        rows += [
            label(2, y - 9, cut(written, WIDTH), class_="strong" if ours else None),
            line(across(mean - margin), y, across(mean + margin), y, "interval won" if ours else "interval"),
            titled("circle", f"{name}: {words.score(mean)} ± {words.score(margin)}", cx=across(mean), cy=y,
                   r=4, class_="dot won" if ours else "dot"),
        ]  # fmt: skip
    return drawing(says, height, below(across, height - 20, 14, most=4), *rows, width=WIDTH)
