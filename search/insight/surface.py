"""How the score depends on the recipe, as far as a search's trials tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.decisions.history import History
from search.encoding import Encoding
from search.forecast.forecast import START, checkpoints, left_of
from search.forecast.gaussian import Array, GaussianProcess
from search.forecast.levels import Levels
from search.forecast.threads import one_thread
from search.insight.variation import Variation
from spaces import Value

FIT_ON, KEEP = 200, 1000
"""Observations that hyperparameters are fitted to, and that predictions rest on."""
ITERATIONS = 60
OPENNESS = 2.5
"""See `GaussianProcess`: final scores may differ by a hundredth of what early ones do, and a parameter by nothing."""
RANKED = 0.25
"""See `Levels`: enough to tell good scores apart, and a share of the variance is still about scores."""
PROCESSES = 8
"""Sets of hyperparameters that are thought possible: one alone would be too sure of what it found."""
OTHERS = 32
"""Recipes over which a parameter's effect is averaged: the same ones for each of its values."""
SAMPLE = 1000
"""Recipes over which the score's whole variance is taken."""


@dataclass(frozen=True)
class Marginal:
    """The mean score at the full budget over all recipes of the space, by the values of one parameter.

    Args:
        values: What the parameter is set to.
        means: Score at each: shape (values,).
        levels: The same on the surface's own scale, on which differences are judged.
        covariance: Of the levels, how sure they are and how much of that they share: shape (values, values).
        slope: Score for a level, where most of the means lie.
    """

    values: Sequence[Value]
    means: Array
    levels: Array
    covariance: Array
    slope: float

    @property
    def deviations(self) -> Array:
        """How sure each mean is: standard deviations, in scores, of shape (values,)."""
        return self.slope * np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    @property
    def variance(self) -> float:
        """By how much the parameter alone makes levels differ."""
        return float(np.var(self.levels))


class Surface:
    """A Gaussian process fitted to all that a search has seen: every trial at several epochs, the pruned ones too.

    Scores of trials are no fair sample of the space: the searcher comes back to what was good, and the scheduler trains
    the best alone to the end. A model of how scores come about does not mind, as long as both have decided by what was
    seen (Rubin, "Inference and missing data", Biometrika 63, 1976); shares of the best trials, or means over them, do.

    Args:
        history: The search. Of trials with several folds the first one counts.
        seed: Of the recipes that effects are averaged over, and of what is left out where there is too much.

    Raises:
        ValueError: There are fewer than `START` observations, or all scores are the same.
    """

    def __init__(self, history: History, seed: int = 0) -> None:
        self.encoding = Encoding(history.space)
        self.variation = Variation(self.encoding)
        self._seed = seed
        self._epochs = history.fold_epochs or history.max_epochs
        seen = self._observations(history)
        scores = np.array([score for *_, score in seen])
        if len(seen) < START or np.ptp(scores) == 0:
            raise ValueError(f"there must be {START} scores that differ, but there are {len(seen)}")
        self._levels = levels = Levels(scores, RANKED)
        low, high = levels.in_scores(np.quantile(levels.leveled, [0.5, 0.9]))
        self._slope = float(high - low) / max(float(np.ptp(np.quantile(levels.leveled, [0.5, 0.9]))), 1e-9)
        points = self.encoding.encode_all([history[number].params for number, *_ in seen])
        left = left_of(np.array([epoch for _, epoch, _ in seen]), self._epochs)
        process = GaussianProcess(self.encoding.slots, OPENNESS)
        rng = np.random.default_rng([seed, 1])
        order = rng.permutation(len(seen))
        with one_thread():
            some, kept = np.sort(order[:FIT_ON]), np.sort(order[:KEEP])
            fitted = points[some], left[some], levels.leveled[some]
            process.fit(*fitted, ITERATIONS)
            self._processes = process.likely(*fitted, PROCESSES, rng)
            for one in self._processes:
                one.condition(points[kept], left[kept], levels.leveled[kept])
            sample = self.encoding.draw(np.random.default_rng([seed, 2]), SAMPLE)
            self.variance = float(np.var(np.mean([one.expect(sample) for one in self._processes], axis=0)))
            """Of scores over the whole space, as far as parameters explain them, on the surface's own scale."""

    def _observations(self, history: History) -> list[tuple[int, int, float]]:
        """Trial, epoch and score of what is looked at; a recipe that diverged is as bad as the worst."""
        grid = checkpoints(self._epochs)
        seen = [
            (run.number, epoch, run.scores[epoch])
            for run in history
            for within in [{epoch for epoch in run.scores if epoch <= self._epochs}]
            if within
            for epoch in sorted({max(within), *grid} & within)
            if math.isfinite(run.scores[epoch])
        ]
        worst = min((score for *_, score in seen), default=0.0)
        return seen + [(run.number, self._epochs, worst) for run in history if run.diverged]

    def marginal(self, name: str) -> Marginal:
        """The effect of one of the variation's parameters, among the recipes that have it."""
        rng = np.random.default_rng([self._seed, 3])
        points = self.variation.points(rng, OTHERS, [name])
        count = len(points)
        flat = points.reshape(-1, self.encoding.columns)
        found = []
        with one_thread():
            for process in self._processes:
                means, covariance = process.shared(flat)
                blocks = covariance.reshape(count, OTHERS, count, OTHERS)
                found.append((means.reshape(count, OTHERS).mean(axis=1), blocks.mean(axis=(1, 3))))
        each = np.array([means for means, _ in found])
        levels = each.mean(axis=0)
        return Marginal(
            values=self.variation.values(name),
            means=self._levels.in_scores(levels),
            levels=levels,
            # Of a mixture: what each process is unsure of, and what they differ in.
            covariance=np.mean([spread for _, spread in found], axis=0) + np.cov(each.T, ddof=0),
            slope=self._slope,
        )

    def pair(self, first: str, second: str) -> tuple[Array, Array]:
        """The effect of two parameters together, on the surface's own scale and as mean scores.

        Returns:
            Two of shape (values of the first, values of the second); missing (NaN) where no recipe has both.
        """
        points = self.variation.points(np.random.default_rng([self._seed, 3]), OTHERS, [first, second])
        with one_thread():
            flat = np.nan_to_num(points).reshape(-1, self.encoding.columns)
            expected = np.mean([process.expect(flat) for process in self._processes], axis=0)
        levels = expected.reshape(points.shape[:-1]).mean(axis=-1)
        levels[np.isnan(points).any(axis=(-2, -1))] = np.nan
        return levels, np.where(np.isnan(levels), np.nan, self._levels.in_scores(np.nan_to_num(levels)))

    def final(self, history: History, numbers: Sequence[int]) -> tuple[Array, Array]:
        """What trials are expected to reach at the full budget, and how sure that is, on the surface's own scale.

        Returns:
            Mean and standard deviation, both of shape (numbers,).
        """
        points = self.encoding.encode_all([history[number].params for number in numbers])
        with one_thread():
            found = [process.predict(points) for process in self._processes]
        means, deviations = (np.array(column) for column in zip(*found, strict=True))
        return means.mean(axis=0), np.sqrt((deviations**2).mean(axis=0) + means.var(axis=0))

    def in_scores(self, levels: Array) -> Array:
        """Values on the surface's own scale as scores."""
        return self._levels.in_scores(levels)

    def telling(self, epoch: int) -> float:
        """Correlation between the score after an epoch and the final one, over recipes of the whole space."""
        left = float(left_of(np.array([epoch]), self._epochs)[0])
        return float(np.mean([process.telling(left) for process in self._processes]))
