"""Loss against a learning rate that grows: where it falls, where it comes apart, what is suggested."""

from __future__ import annotations

import math
from collections.abc import Sequence

from search.report.charts.frame import WIDTH, below, beside, drawing, label, line, path, titled
from search.report.charts.scale import Scale
from search.report.markup import Markup
from search.view import words

HEIGHT, LEFT, RIGHT, TOP = 250, 44, 14, 22
HIGHEST = 1.3
"""Times the first loss above which the chart is cut off: what comes apart would flatten all the rest."""


def ramp(
    says: str, rates: Sequence[float], losses: Sequence[float], smooth: Sequence[float], suggested: float
) -> Markup:
    """The chart.

    Args:
        says: What it shows.
        rates: Learning rate of each step, ascending.
        losses: Of each step; those that are not finite are left out.
        smooth: The same, averaged.
        suggested: The rate that is marked.
    """
    top = HIGHEST * max(losses[0], smooth[0])
    across = Scale(rates[0], rates[-1], LEFT + 4, WIDTH - RIGHT, "log")
    up = Scale(0.0, top, HEIGHT - 40, TOP)
    points = [
        titled(
            "circle", f"{words.number(rate)}: {loss:.3g}", cx=across(rate), cy=up(loss), r=1.6, class_="point"
        )
        for rate, loss in zip(rates, losses, strict=True)
        if math.isfinite(loss) and loss <= top
    ]
    seen = [(across(rate), up(loss)) for rate, loss in zip(rates, smooth, strict=False) if loss <= top]
    x = across(suggested)
    side = "end" if x > WIDTH * 0.7 else "start"
    return drawing(
        says,
        HEIGHT,
        below(across, HEIGHT - 40, TOP, "learning rate"),
        beside(up, LEFT, WIDTH - RIGHT),
        label(0, 12, "loss", class_="quiet"),
        *points,
        titled("path", "averaged", d=path(seen), class_="curve"),
        line(x, TOP, x, HEIGHT - 40, "wonline"),
        label(x + (-5 if side == "end" else 5), TOP + 10, words.number(suggested), side, "winner"),
    )
