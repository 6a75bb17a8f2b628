"""Two recipes set against each other, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

LEVEL = 0.95


@dataclass(frozen=True)
class Comparison:
    """One recipe against another.

    Args:
        difference: Of the means, first minus second.
        margin: Half the width of its 95 % interval; none where a single seed leaves nothing to tell it from.
        seeds: Pairs.
    """

    difference: float
    margin: float | None
    seeds: int

    @property
    def verdict(self) -> str:
        """``above``, ``below``, or ``too close to tell``: the interval contains zero, or there is none."""
        if self.margin is None or self.difference == 0 or abs(self.difference) <= self.margin:
            return "too close to tell"
        return "above" if self.difference > 0 else "below"


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison | None:
    """Compare results of the same seeds in the same order.

    The interval is Student's for paired differences: with three seeds its margin is 4.3 standard
    errors, not 2, which is what keeps a lucky pair of seeds from passing for a discovery.

    Args:
        first: A result a seed.
        second: Likewise, of the same seeds.

    Returns:
        None where there are no results.

    Raises:
        ValueError: The two are not of equal length.
    """
    differences = [ours - theirs for ours, theirs in zip(first, second, strict=True)]
    if not differences:
        return None
    n = len(differences)
    if n == 1:
        return Comparison(differences[0], None, n)
    from scipy.special import stdtrit  # the quantile alone: scipy.stats takes a second to import

    margin = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * stdev(differences) / n**0.5
    return Comparison(fmean(differences), margin, n)
