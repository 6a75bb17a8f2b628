"""How often a network is right against how often it says so."""

from __future__ import annotations

import math
from collections.abc import Sequence

from search.report.charts.frame import WIDTH, below, beside, drawing, label, line, titled
from search.report.charts.scale import Scale
from search.report.markup import Markup, joined
from search.view import words
from trainables.soundness.figures import Bin

HEIGHT, LEFT, RIGHT, TOP, LARGEST = 300, 44, 20, 26, 11.0
"""Radius of the point of a bin that has all images."""


def reliability(says: str, before: Sequence[Bin], after: Sequence[Bin] | None) -> Markup:
    """The chart: a point a bin, its area the share of the images; on the dotted line the two agree.

    Args:
        says: What it shows.
        before: Of probabilities as they are; outlined where there are others.
        after: Of those with a temperature; none where there is none.
    """
    across = Scale(0, 1, LEFT + 4, WIDTH - RIGHT)
    up = Scale(0, 1, HEIGHT - 40, TOP)
    rows = [(before, "dot hollow" if after is not None else "dot", "as it says")]
    if after is not None:
        rows.append((after, "dot", "with the temperature"))
    return drawing(
        says,
        HEIGHT,
        below(across, HEIGHT - 40, TOP, "confidence"),
        beside(up, LEFT, WIDTH - RIGHT),
        label(0, 12, "share that is right", class_="quiet"),
        line(across(0), up(0), across(1), up(1), "axis dotted"),
        *(_points(bins, kind, what, across, up) for bins, kind, what in rows),
    )


def _points(bins: Sequence[Bin], kind: str, what: str, across: Scale, up: Scale) -> Markup:
    whole = sum(one.count for one in bins)
    marks = []
    for one in bins:
        if one.confidence is None or one.accuracy is None:
            continue
        told = (
            f"{what} {words.percent(one.confidence)}, right {words.percent(one.accuracy)}: "
            f"{words.percent(one.count / whole)} of the images"
        )
        radius = max(LARGEST * math.sqrt(one.count / whole), 2.0)
        marks.append(
            titled("circle", told, cx=across(one.confidence), cy=up(one.accuracy), r=radius, class_=kind)
        )
    return joined(marks)
