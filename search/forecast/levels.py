"""Scores on the scale on which a forecast is made, and back."""

from __future__ import annotations

import numpy as np

from search.forecast.gaussian import Array

RANKED = 0.5
"""How far levels go by ranks: 0 leaves the scores' own distances, 1 would leave nothing but their order."""
TAIL = 0.3
"""Scores may lie below the lowest tenth by so much of the distance from there to the best."""
ROUNDING = 1e-9
"""Scores that differ by so little of that distance are the same."""


class Levels:
    """Brings scores to mean 0 and spread 1, so that differences among good ones count.

    What lies far below the others is moved up to them: how bad a bad recipe is teaches nothing about good ones. Where
    most scores are near their ceiling, what is left of the spread is mostly that of early epochs, and the good
    recipes, a hundredth apart, lie within its noise. So a level is half a score and half the normal quantile of its
    rank; the second half keeps the best apart however near they are.

    Args:
        scores: Finite: shape (n,), n ≥ 1.
        ranked: From 0 to below 1; see `RANKED`.
    """

    def __init__(self, scores: Array, ranked: float = RANKED) -> None:
        from scipy.special import ndtri

        low, high = np.quantile(scores, 0.1), scores.max()
        lowest = low - TAIL * (high - low)
        scores = np.where(scores <= lowest + ROUNDING * (high - low), lowest, scores)
        self._values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
        quantiles = ndtri((np.cumsum(counts) - counts / 2) / len(scores))[places]
        self.leveled: Array = _standard((1 - ranked) * _standard(scores) + ranked * _standard(quantiles))
        """Of the scores given: shape (n,)."""
        self._levels = np.zeros(len(self._values))
        self._levels[places] = self.leveled

    def in_scores(self, levels: Array) -> Array:
        """Levels as scores, of any shape.

        Between two known levels in proportion; beyond the best as steeply as in the upper half, and so below.
        """
        known, values = self._levels, self._values
        within: Array = np.interp(levels, known, values)
        if len(values) == 1:
            return within
        edge = max(1, len(values) // 2)
        above = (values[-1] - values[-1 - edge]) / (known[-1] - known[-1 - edge])
        below = (values[edge] - values[0]) / (known[edge] - known[0])
        beyond = above * np.maximum(levels - known[-1], 0.0) + below * np.minimum(levels - known[0], 0.0)
        found: Array = within + beyond
        return found


def _standard(values: Array) -> Array:
    """Mean 0 and spread 1, where they differ."""
    if np.ptp(values) == 0:  # else rounding in their mean would be what they differ by
        return np.zeros(len(values))
    standard: Array = (values - values.mean()) / max(float(values.std()), 1e-9)
    return standard
