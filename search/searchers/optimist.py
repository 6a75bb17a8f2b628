"""A searcher that tries what may be best, by a forecast over recipes and epochs."""

from __future__ import annotations

import numpy as np

from search.decisions.history import History
from search.forecast.forecast import Forecast
from search.forecast.gaussian import Array
from search.searchers.encoding import Encoding
from spaces import Params
from trainables.seeds import derive_seed

EXPLORE = 0.2
"""Share of proposals that are drawn at random whatever the forecast says."""
CANDIDATES = 250
"""Drawn from the whole space; as many are variations of the best so far."""
BEST = 10
"""Trials that are varied."""


class Optimist:
    """Proposes the recipe with the highest upper bound: expected score plus `optimism` standard deviations.

    Optimism is worth more than precision here. Forecasts from early epochs are surer of themselves than they should
    be, and one that proposes what it expects the most of stays where it began.

    Args:
        forecast: What it believes.
        seed: Of its random numbers; those of each proposal follow from it and the trial's number.
        optimism: Standard deviations above the mean.

    Source: Srinivas et al., Gaussian process optimization in the bandit setting, ICML 2010.
    """

    def __init__(self, forecast: Forecast, seed: int, optimism: float = 3.0) -> None:
        self._forecast, self._seed, self._optimism = forecast, seed, optimism

    def propose(self, history: History, number: int) -> Params:
        """A recipe."""
        rng = np.random.default_rng([derive_seed(self._seed, "optimist") % 2**32, number])
        encoding = self._forecast.encoding(history)
        if rng.random() < EXPLORE or not self._forecast.update(history):
            return encoding.decode(encoding.draw(rng, 1)[0])
        candidates = np.vstack([encoding.draw(rng, CANDIDATES), self._variations(history, encoding, rng)])
        mean, deviation = self._forecast.predict(candidates)
        return encoding.decode(candidates[np.argmax(mean + self._optimism * deviation)])

    def _variations(self, history: History, encoding: Encoding, rng: np.random.Generator) -> Array:
        """Recipes near those of which most is expected: some parameters moved, from hardly to far."""
        parents = self._forecast.points(history, self._forecast.best(history, BEST))
        points = parents[rng.integers(len(parents), size=CANDIDATES)]
        slots = len(encoding.widths)
        share = np.maximum(1.5 / slots, rng.random((CANDIDATES, 1)) ** 2)
        moved = rng.random((CANDIDATES, slots)) < share
        scale = 10 ** rng.uniform(-2, -0.3, (CANDIDATES, 1))
        stepped = points + scale * rng.standard_normal(points.shape)
        stepped = np.abs(stepped)
        stepped = np.where(stepped > 1, 2 - stepped, stepped)  # reflected at the ends
        drawn = rng.random(points.shape)  # a choice is made anew
        varied = np.where(encoding.is_choice, drawn, stepped)
        return encoding.tidy(np.where(moved[:, encoding.slots], varied, points))
