"""What all charts have: the drawing itself, its axes and their labels."""

from __future__ import annotations

from collections.abc import Sequence

from search.report.charts.scale import Scale, width_of
from search.report.markup import NOTHING, Markup, element, joined

WIDTH = 400
"""Units of a chart that fills a column of the page: about as many pixels as a phone has."""


def drawing(label: str, height: float, *marks: str, width: float = WIDTH) -> Markup:
    """A chart.

    Args:
        label: What it shows, in a sentence, for those who cannot see it.
        height: In units.
        *marks: What is in it.
        width: In units.
    """
    return element(
        "svg", *marks, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label,
        class_="chart" if width == WIDTH else "chart small",
    )  # fmt: skip


def label(x: float, y: float, words: str, anchor: str = "start", class_: str | None = None) -> Markup:
    """Text in a drawing, at its baseline."""
    return element(
        "text",
        words,
        x=float(x),
        y=float(y),
        class_=class_,
        text_anchor=None if anchor == "start" else anchor,
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def below(scale: Scale, y: float, top: float, title: str = "", most: int = 6) -> Markup:
    """A horizontal axis under a chart, with lines through it; labels that would touch are left out.

    Args:
        scale: The axis.
        y: Where it lies.
        top: How far up the lines go.
        title: What is along it.
        most: Labels.
    """
    marks: list[str] = []
    taken: list[tuple[float, float]] = []
    for tick in sorted(scale.ticks(most), key=lambda tick: (not scale.is_round(tick), tick)):
        x, text = scale(tick), scale.label(tick, most)
        half = width_of(text) / 2
        if any(x - half < right + 5 and x + half > left - 5 for left, right in taken):
            continue
        taken.append((x - half, x + half))
        marks += [line(x, top, x, y, "grid"), label(x, y + 15, text, "middle")]
    middle = (scale.start + scale.end) / 2
    return joined([*marks, label(middle, y + 32, title, "middle", "quiet") if title else NOTHING])


def beside(scale: Scale, x: float, right: float, most: int = 6) -> Markup:
    """A vertical axis at the left of a chart, with lines through it.

    Args:
        scale: The axis.
        x: Where it lies.
        right: How far the lines go.
        most: Labels.
    """
    marks: list[str] = []
    for tick in scale.ticks(most):
        y = scale(tick)
        marks += [line(x, y, right, y, "grid"), label(x - 6, y + 4, scale.label(tick, most), "end")]
    return joined(marks)


def titled(name: str, words: str, **attributes: object) -> Markup:
    """A mark that says what it is when it is pointed at."""
    return element(name, element("title", words), **attributes)


def path(points: Sequence[tuple[float, float]]) -> str:
    """Points joined by lines, as a path's ``d``."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
