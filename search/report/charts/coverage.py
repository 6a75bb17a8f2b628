"""How much better a network gets if it may leave what it is least sure of to somebody else."""

from __future__ import annotations

from collections.abc import Sequence

from search.report.charts.frame import WIDTH, below, beside, drawing, label, path, titled
from search.report.charts.scale import Scale, around
from search.report.markup import Markup, element
from search.view import words

HEIGHT, LEFT, RIGHT, TOP = 300, 44, 20, 26


def coverage(says: str, shares: Sequence[float], accuracies: Sequence[float]) -> Markup:
    """The chart.

    Args:
        says: What it shows.
        shares: Of the images, the surest first, in rising order.
        accuracies: Of each.
    """
    across = Scale(0, 1, LEFT + 4, WIDTH - RIGHT)
    low, high = around(accuracies, 0.02)
    up = Scale(max(low, 0.0), min(high, 1.0), HEIGHT - 40, TOP)
    points = [(across(share), up(accuracy)) for share, accuracy in zip(shares, accuracies, strict=True)]
    return drawing(
        says,
        HEIGHT,
        below(across, HEIGHT - 40, TOP, "share of the images that it answers"),
        beside(up, LEFT, WIDTH - RIGHT),
        label(0, 12, "share of these that is right", class_="quiet"),
        element("path", d=path(points), class_="curve"),
        *(
            titled("circle", f"{share:.0%}: {words.percent(accuracy)} right", cx=x, cy=y, r=2.5, class_="dot")
            for (x, y), share, accuracy in zip(points, shares, accuracies, strict=True)
        ),
    )
