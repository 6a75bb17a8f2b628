"""Recorded learning curves as a function of any recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from search.encoding import Encoding
from spaces import Params, SearchSpace

TREES = 64


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
        """0 for the best score known, 1 for a median random recipe's; 1 below it where these are the same."""
        if self.best == self.median:
            return float(score < self.best)
        return (self.best - score) / (self.best - self.median)


class Recorded:
    """Curves of some recipes, as a function of any: a forest that gives each recorded recipe its own curve.

    Between the recipes trees follow the few parameters that matter; the nearest neighbours weigh all alike.

    Args:
        space: The space that the recipes are of.
        recipes: One a row.
        scores: Shape (recipes, epochs); NaN from where a recipe had diverged.
        seconds: Of an epoch of each recipe: shape (recipes,).

    Source: Geurts et al., Machine Learning 63, 2006.
    """

    def __init__(
        self,
        space: SearchSpace,
        recipes: Sequence[Params],
        scores: NDArray[np.float64],
        seconds: NDArray[np.float64],
    ) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        self._encoding = Encoding(space)
        self._scores, self._seconds = scores, seconds
        points = self._encoding.encode_all(recipes)
        epochs = scores.shape[1]
        some = np.unique(np.geomspace(1, epochs, 8).astype(int)) - 1
        known = np.where(np.isnan(scores), np.nanmin(scores), scores)
        targets = np.hstack([known[:, some], np.log(seconds)[:, None]])
        spread = targets.std(axis=0)
        forest = ExtraTreesRegressor(TREES, random_state=0).fit(points, targets / np.where(spread, spread, 1))
        self._trees = [tree.tree_ for tree in forest.estimators_]
        # A leaf is a recorded recipe, so a tree says which one is most like a new one; its whole curve is here.
        self._rows = [np.zeros(tree.node_count, dtype=np.int64) for tree in self._trees]
        single = points.astype(np.float32)
        for tree, rows in zip(self._trees, self._rows, strict=True):
            rows[tree.apply(single)] = np.arange(len(points))

    def __call__(self, params: Params) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores and seconds of each epoch of the recipe."""
        point = self._encoding.encode(params).astype(np.float32)[None]
        alike = [rows[tree.apply(point)[0]] for tree, rows in zip(self._trees, self._rows, strict=True)]
        scores = self._scores[alike]
        lost = np.isnan(scores).mean(axis=0) > 0.5
        told = np.where(lost, np.nan, np.nan_to_num(scores, nan=np.nanmin(self._scores)).mean(axis=0))
        return told, np.full(scores.shape[1], np.exp(np.log(self._seconds[alike]).mean()))


def task_from(
    name: str,
    space: SearchSpace,
    recipes: Sequence[Params],
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
