"""Recorded learning curves as a function of any recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from search.searchers.encoding import Encoding
from spaces import Params, SearchSpace

NEIGHBOURS = 4


class Curve(Protocol):
    """What training a recipe would give."""

    def __call__(self, params: Params) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores after each epoch (higher is better, NaN where it has diverged) and the seconds each takes."""
        ...


@dataclass(frozen=True)
class Task:
    """Something to search on simulated time.

    Args:
        name: For people.
        space: What may vary.
        curve: What training a recipe gives.
        max_epochs: Length of a curve.
        best: The best score known of any recipe and epoch.
        median: The median over random recipes of their best score.
    """

    name: str
    space: SearchSpace
    curve: Curve
    max_epochs: int
    best: float
    median: float

    def regret(self, score: float) -> float:
        """0 for the best score known, 1 for a median random recipe's."""
        return (self.best - score) / (self.best - self.median)


class Recorded:
    """Curves of some recipes; between them, the mean of the nearest ones, weighted by nearness.

    Args:
        space: The space that the recipes are of.
        recipes: One a row.
        scores: Shape (recipes, epochs); NaN where a recipe had diverged.
        seconds: Of an epoch of each recipe: shape (recipes,).
    """

    def __init__(
        self,
        space: SearchSpace,
        recipes: list[Mapping[str, object]],
        scores: NDArray[np.float64],
        seconds: NDArray[np.float64],
    ) -> None:
        from scipy.spatial import cKDTree

        self._encoding = Encoding(space)
        self._points = self._encoding.encode_all(recipes)  # type: ignore[arg-type]
        self._tree = cKDTree(self._points)
        self._scores, self._seconds = scores, seconds

    def __call__(self, params: Params) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores and seconds of each epoch of the recipe."""
        point = self._encoding.encode(params)
        distances, rows = self._tree.query(point, k=min(NEIGHBOURS, len(self._points)))
        distances, rows = np.atleast_1d(distances), np.atleast_1d(rows)
        weights = 1.0 / (distances + 1e-6) ** 2
        weights /= weights.sum()
        nearest = self._scores[rows[0]]
        scores = np.where(np.isnan(nearest), np.nan, weights @ np.nan_to_num(self._scores[rows]))
        return scores, np.full(scores.shape, float(weights @ self._seconds[rows]))


def task_from(
    name: str,
    space: SearchSpace,
    recipes: list[Mapping[str, object]],
    scores: NDArray[np.float64],
    seconds: NDArray[np.float64],
) -> Task:
    """A task from a table of curves."""
    best = np.nan_to_num(scores, nan=-np.inf).max(axis=1)
    return Task(
        name,
        space,
        Recorded(space, recipes, scores, seconds),
        scores.shape[1],
        float(best.max()),
        float(np.median(best)),
    )
