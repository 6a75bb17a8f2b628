"""What an epoch of a recipe costs, learnt from those that were trained."""

from __future__ import annotations

import numpy as np

from search.forecast.gaussian import Array

RIDGE = 1.0
"""What is believed before, that a parameter makes no difference, counts as much as so many observations."""
FACTOR = 1 / 3
"""Of a draw's worth; see `Price.worth`."""


class Price:
    """Seconds of an epoch as a product of factors, one a parameter: batch size, strategy, a second backward pass.

    Args:
        points: Recipes: shape (n, columns).
        seconds: Of one of its epochs each: shape (n,), above 0.
    """

    def __init__(self, points: Array, seconds: Array) -> None:
        logarithms = np.log(seconds)
        self._mean, self._center = float(np.median(logarithms)), points.mean(axis=0)
        design = points - self._center
        square = design.T @ design + RIDGE * np.eye(points.shape[1])
        self._coefficients: Array = np.linalg.solve(square, design.T @ (logarithms - self._mean))
        low, high = logarithms.min() - self._mean, logarithms.max() - self._mean
        self._range = (float(low), float(high))

    def relative(self, points: Array) -> Array:
        """Logarithm of what an epoch costs over what it usually costs, within what was seen: shape (points,)."""
        told: Array = np.clip((points - self._center) @ self._coefficients, *self._range)
        return told

    def worth(self, points: Array) -> Array:
        """What must be taken from a recipe's upper bound for its price, in deviations of final values among recipes.

        Of n recipes for the same money the best is expected ``√(2 ln n)`` deviations above the mean, so a recipe that
        takes the place of c others must be better by ``ln c / √(2 ln n)``; for about a hundred that is a third of ln c.
        """
        return FACTOR * self.relative(points)
