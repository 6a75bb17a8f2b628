"""How the values of a parameter lie along an axis."""

from __future__ import annotations

from spaces import Choice, Int, Leaf

BINARY = 4096
"""A range of whole numbers that is up to so many times as high as low is marked at powers of two."""


def kind_of(leaf: Leaf) -> str | None:
    """The kind of a parameter's axis, see `search.report.charts.scale.Scale`; none for options."""
    if isinstance(leaf, Choice):
        return None
    if not leaf.log:
        return "whole" if isinstance(leaf, Int) else "linear"
    return "binary" if isinstance(leaf, Int) and leaf.high / leaf.low <= BINARY else "log"
