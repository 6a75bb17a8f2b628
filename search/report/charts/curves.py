"""Scores by epoch, a line a trial; those that matter stand out and are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.report.charts.frame import WIDTH, below, beside, drawing, label, path, titled
from search.report.charts.scale import Scale, scores
from search.report.markup import Markup

HEIGHT, LEFT, RIGHT, TOP = 270, 44, 66, 8
POINTS = 60
"""Most points of a line."""


@dataclass(frozen=True)
class Curve:
    """One line.

    Args:
        name: For whoever points at it.
        points: Epoch and score, ascending.
        kind: ``winner``, ``baseline``, ``complete`` or ``pruned``.
    """

    name: str
    points: Sequence[tuple[int, float]]
    kind: str


def curves(says: str, lines: Sequence[Curve], epochs: int) -> Markup:
    """The chart; named ones are drawn last, so that nothing hides them."""
    across = Scale(1, max(epochs, 2), LEFT + 4, WIDTH - RIGHT, "whole")
    up = scores([score for one in lines for _, score in one.points], HEIGHT - 40, TOP)
    order = {"pruned": 0, "complete": 1, "baseline": 2, "winner": 3}
    marks = []
    for one in sorted(lines, key=lambda one: order[one.kind]):
        points = [(across(epoch), up(score)) for epoch, score in thinned(one.points)]
        if len(points) == 1:
            marks.append(
                titled(
                    "circle", one.name, cx=points[0][0], cy=points[0][1], r=1.5, class_=f"point {one.kind}"
                )
            )
        else:
            marks.append(titled("path", one.name, d=path(points), class_=f"curve {one.kind}"))
    named = [one for one in lines if one.kind in {"winner", "baseline"} and one.points]
    places = _apart([(up(one.points[-1][1]), one) for one in named])
    ends = {one.kind: across(one.points[-1][0]) for one in named}
    names = [label(ends[one.kind] + 6, y + 4, one.kind, class_=one.kind) for y, one in places]
    axes = [below(across, HEIGHT - 40, TOP, "epoch"), beside(up, LEFT, WIDTH - RIGHT)]
    return drawing(says, HEIGHT, *axes, *marks, *names)


def thinned(points: Sequence[tuple[int, float]], most: int = POINTS) -> list[tuple[int, float]]:
    """Every so many of the points, the last one always."""
    if len(points) <= most:
        return list(points)
    every = -(-len(points) // most)
    kept = list(points[::every])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _apart(places: list[tuple[float, Curve]]) -> list[tuple[float, Curve]]:
    """Places of labels, moved down until they are a line's height apart."""
    found: list[tuple[float, Curve]] = []
    for y, one in sorted(places, key=lambda place: place[0]):
        found.append((max(y, found[-1][0] + 14) if found else y, one))
    return found
