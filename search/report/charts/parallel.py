"""Trials as lines across an axis a parameter. The axes lie, so that names and values have room on a phone too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.report.charts.frame import WIDTH, drawing, label, line, path, titled
from search.report.charts.scale import Scale, cut, width_of
from search.report.markup import Markup

GAP, TOP, LEFT, RIGHT, LEVELS = 66, 22, 12, 12, 7
MISSING = 46
"""Room at the left for trials without the parameter, where there are such."""


@dataclass(frozen=True)
class Coordinate:
    """An axis.

    Args:
        name: Its parameter's.
        kind: See `Scale`; none where values are options.
        low: Its first value.
        high: Its last one.
        options: Names of options, for an axis without a scale.
        lacking: Whether some trials do not have the parameter.
    """

    name: str
    kind: str | None
    low: float = 0.0
    high: float = 1.0
    options: Sequence[str] = ()
    lacking: bool = False


@dataclass(frozen=True)
class Thread:
    """A trial.

    Args:
        name: For whoever points at it.
        places: Its value on each axis (an option's number on one of options); none where it has none.
        level: How good it is, from 0 (worst) to 6.
        won: Whether it is the winner.
    """

    name: str
    places: Sequence[float | None]
    level: int
    won: bool = False


def parallel(says: str, axes: Sequence[Coordinate], threads: Sequence[Thread]) -> Markup:
    """The chart, the best trials on top."""
    scales = [_scale(axis) for axis in axes]
    marks: list[str] = []
    for row, (axis, scale) in enumerate(zip(axes, scales, strict=True)):
        y = TOP + row * GAP
        marks += [label(0, y - 8, cut(axis.name, WIDTH), class_="strong"), *_axis(axis, scale, y)]
    ordered = sorted(threads, key=lambda thread: (thread.won, thread.level))
    lines = []
    for thread in ordered:
        points = [
            (LEFT + 10.0 if value is None else scale(value), float(TOP + row * GAP))
            for row, (scale, value) in enumerate(zip(scales, thread.places, strict=True))
        ]
        lines.append(
            titled(
                "path",
                thread.name,
                d=path(points),
                class_="thread winner" if thread.won else f"thread l{thread.level}",
            )
        )
    return drawing(says, TOP + (len(axes) - 1) * GAP + 38, *lines, *marks)


def _scale(axis: Coordinate) -> Scale:
    start = LEFT + (MISSING if axis.lacking else 0) + (20 if axis.kind is None else 0)
    return Scale(
        axis.low, axis.high, start, WIDTH - RIGHT - (20 if axis.kind is None else 0), axis.kind or "linear"
    )


def _axis(axis: Coordinate, scale: Scale, y: float) -> list[Markup]:
    marks = [line(scale.start, y, scale.end, y, "axis")]
    if axis.lacking:
        marks += [line(LEFT, y, LEFT + 20, y, "axis dotted"), label(LEFT - 8, y + 16, "none", class_="quiet")]
    if axis.kind is None:
        named = [(float(index), name) for index, name in enumerate(axis.options)]
    else:
        named = [(tick, scale.label(tick)) for tick in scale.ticks(6)]
    room = (WIDTH - scale.start) / max(len(named), 1)
    lines = 2 if axis.kind is None and max(map(width_of, axis.options), default=0) > room else 1
    free = [-1e9] * lines
    for index, (value, name) in enumerate(named):
        x, row, text = scale(value), index % lines, cut(name, room * lines)
        marks.append(line(x, y - 3, x, y + 3, "axis"))
        half = width_of(text) / 2
        at = min(max(x, half + 1), WIDTH - half - 1)
        if at - half >= free[row]:
            marks.append(label(at, y + 16 + 14 * row, text, "middle"))
            free[row] = at + half + 5
    return marks
