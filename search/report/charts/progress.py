"""Scores in the order in which trials began, and the best one so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.report.charts.frame import WIDTH, below, beside, drawing, path, titled
from search.report.charts.scale import Scale, scores
from search.report.markup import NOTHING, Markup, element

HEIGHT, LEFT, RIGHT, TOP = 270, 44, 8, 8


@dataclass(frozen=True)
class Dot:
    """A trial.

    Args:
        number: The trial's.
        score: Its best; none for one that has none.
        kind: ``complete``, ``pruned`` or ``failed``; others are drawn as pruned ones are.
        name: For whoever points at it.
        won: Whether it is the winner.
    """

    number: int
    score: float | None
    kind: str
    name: str
    won: bool = False


def progress(says: str, dots: Sequence[Dot]) -> Markup:
    """The chart; a failed trial is a cross at the bottom."""
    across = Scale(0, max(max(dot.number for dot in dots), 1), LEFT + 6, WIDTH - RIGHT - 6, "whole")
    up = scores([dot.score for dot in dots if dot.score is not None], HEIGHT - 46, TOP + 4)
    marks = [_mark(dot, across, up) for dot in dots]
    won = [titled("circle", dot.name, cx=across(dot.number), cy=up(dot.score), r=6.5, class_="ring")
           for dot in dots if dot.won and dot.score is not None]  # fmt: skip
    steps: list[tuple[float, float]] = []
    best = None
    for dot in dots:
        if dot.kind == "complete" and dot.score is not None and (best is None or dot.score > best):
            if best is not None:
                steps.append((across(dot.number), up(best)))
            best = dot.score
            steps.append((across(dot.number), up(best)))
    if best is not None:
        steps.append((across(across.high), up(best)))
    stairs = element("path", d=path(steps), class_="curve best") if steps else NOTHING
    axes = [below(across, HEIGHT - 40, TOP, "trial"), beside(up, LEFT, WIDTH - RIGHT)]
    return drawing(says, HEIGHT, *axes, stairs, *marks, *won)


def _mark(dot: Dot, across: Scale, up: Scale) -> Markup:
    x = across(dot.number)
    if dot.kind == "failed":
        return titled("path", dot.name, d=f"M{x - 3:.1f} {HEIGHT - 46}l6 6m0-6l-6 6", class_="cross")
    if dot.score is None:
        return NOTHING
    kind = "dot complete" if dot.kind == "complete" else "dot hollow"
    return titled("circle", dot.name, cx=x, cy=up(dot.score), r=2.8, class_=kind)
