"""The best value lies at the end of its range."""

from __future__ import annotations

from search.encoding import Axis, Encoding
from search.verdicts.verdict import Case, Verdict
from spaces import Choice, Float, Int, Value

NATURAL = (0, 1)
"""Ends that ranges have because there is nothing beyond: no dropout, all of the strength."""
NEAR = 0.25
"""The share of a range at its end in which the winner lies."""
FACTOR = 10.0
"""A range on a logarithmic scale is made longer by so much, another one by its half."""


def at_the_edge(case: Case) -> list[Verdict]:
    """Parameters that matter, whose mean score is highest where their range ends, as the winner is near that end."""
    winner = case.winner
    if winner is None:
        return []
    axes = {axis.name: axis for axis in Encoding(case.history.space).axes}
    found = []
    for effect in case.insight.told:
        name = next((one for one in effect.qualified if one in winner), None)
        if name is None:
            continue
        leaf = case.history.space.leaves()[name]
        if isinstance(leaf, Choice):
            continue
        for end, other, value in ((0, -1, leaf.low), (-1, 0, leaf.high)):
            near = _is_near(axes[name], winner[name], low=end == 0)
            if near and effect.best == effect.marginal.values[end] and value not in NATURAL:
                longer = _longer(leaf, low=end == 0)
                found.append(
                    Verdict(
                        "best value at the edge",
                        f"The best {name} may lie beyond its range.",
                        f"Scores still rise towards the end of [{leaf.low:g}, {leaf.high:g}]: by {effect.gain:.3f} "
                        f"from {effect.marginal.values[other]:.2g} to {effect.best:.2g}; the winner's is "
                        f"{winner[name]:.2g}.",
                        (f"--set {name}=[{longer[0]:g},{longer[1]:g}]",),
                    )
                )
    return found


def _is_near(axis: Axis, value: Value, *, low: bool) -> bool:
    """Whether a value lies in the quarter of its range at one end."""
    assert not isinstance(axis.leaf, Choice)
    low_place, high_place, place = (axis.place(float(one)) for one in (axis.leaf.low, axis.leaf.high, value))
    share = (place - low_place) / max(high_place - low_place, 1e-12)
    return share <= NEAR if low else share >= 1 - NEAR


def _longer(leaf: Float | Int, *, low: bool) -> tuple[float, float]:
    """The range made longer at one end; it stays above 0 where it was, and whole numbers stay whole."""
    half = (leaf.high - leaf.low) / 2
    end = leaf.low if low else leaf.high
    if leaf.log:
        moved = end / FACTOR if low else end * FACTOR
    else:
        moved = max(end - half, 0.0) if low and leaf.low >= 0 else end - half if low else end + half
    if isinstance(leaf, Int):
        moved = max(round(moved / leaf.step) * leaf.step, 1 if leaf.log else moved)
    return (moved, leaf.high) if low else (leaf.low, moved)
