"""A searcher that tries what may be best, by a forecast over recipes and epochs."""

from __future__ import annotations

import math

import numpy as np

from search.decisions.history import History, Status
from search.encoding import Encoding
from search.forecast.forecast import RECOMMENDED, Forecast
from search.forecast.gaussian import Array
from spaces import Params
from trainables.seeds import derive_seed

EXPLORE = 0.2
"""Share of proposals that are drawn at random whatever the forecast says."""
CANDIDATES = 250
"""Drawn from the whole space; as many are variations of the best so far."""
CLIMBS = 2
"""Times that the candidates of the highest bounds are varied in their turn, `CANDIDATES` variations each."""
TRUSTED = 0.8
"""Of what is drawn at most so much is drawn from priors, however much they are trusted."""
JUDGES = 4
"""Trials before priors are judged: two better ones and two others."""
PULL = 10.0
"""Of a prior whose center is e times likelier than the average: deviations of the scores, divided by the trials."""
DOUBT = 2.5
"""Factor on the forecast's deviations where the search may end by itself."""
STEPS = np.linspace(-6, 6, 97)
WEIGHTS = np.exp(-(STEPS**2) / 2) / np.exp(-(STEPS**2) / 2).sum()
"""What a recipe may reach, in deviations, and how probable each is."""
SETTLED = 20
"""Trials before it may."""
BEST = 10
"""Trials, or candidates, that are varied."""


class Optimist:
    """Proposes the recipe with the highest upper bound: expected score plus `optimism` standard deviations.

    Where the space has priors, a share of what is drawn is drawn from them, and the bound of a recipe is raised by
    their logarithm, less and less as trials are seen. Both go by how far the priors can be trusted: at first half
    and half, then by whether the better trials are those that they favour (`trust`). Priors that mislead are forgotten.

    Optimism is worth more than precision here. Forecasts from early epochs are surer of themselves than they should
    be, and one that proposes what it expects the most of stays where it began.

    Args:
        forecast: What it believes.
        seed: Of its random numbers; those of each proposal follow from it and the trial's number.
        optimism: Standard deviations above the mean.

    Sources: Srinivas et al., Gaussian process optimization in the bandit setting, ICML 2010; Hvarfner et al., πBO,
    ICLR 2022 (a prior whose weight falls with the number of trials); Mallik et al., PriorBand, NeurIPS 2023
    (a prior that has to hold its own against random draws).
    """

    def __init__(self, forecast: Forecast, seed: int, optimism: float = 4.0) -> None:
        self._forecast, self._seed, self._optimism = forecast, seed, optimism

    def propose(self, history: History, number: int) -> Params:
        """A recipe; the first is the space's baseline, then come those that earlier studies recommend."""
        if number == 0 or not history.space.leaves():
            return dict(history.space.baseline())
        if number <= RECOMMENDED:
            recommended = self._forecast.recommended(history)
            if number <= len(recommended):
                return recommended[number - 1]
        rng = np.random.default_rng([derive_seed(self._seed, "optimist") % 2**32, number])
        encoding = self._forecast.encoding(history)
        explores = rng.random() < EXPLORE
        known = self._forecast.update(history)
        trust = self.trust(history)
        if explores or not known:
            return encoding.decode(_drawn(encoding, rng, 1, trust)[0])
        candidates = np.vstack(
            [_drawn(encoding, rng, CANDIDATES, trust), self._near_the_best(history, encoding, rng)]
        )
        bounds = self._bounds(history, encoding, candidates, trust)
        for _ in range(CLIMBS):
            top = np.argsort(-bounds, kind="stable")[:BEST]
            varied = _varied(encoding, rng, candidates[top])
            candidates = np.vstack([candidates[top], varied])
            bounds = np.concatenate([bounds[top], self._bounds(history, encoding, varied, trust)])
        return encoding.decode(candidates[np.argmax(bounds)])

    def _bounds(self, history: History, encoding: Encoding, points: Array, trust: float) -> Array:
        """How good recipes may be: what is expected and what is unknown, what they cost, what is believed."""
        mean, deviation = self._forecast.predict(points)
        bounds: Array = mean + self._optimism * deviation - self._forecast.price(history, points)
        if trust:
            bounds = bounds + trust * PULL / len(history) * encoding.belief(points)
        return bounds

    def trust(self, history: History) -> float:
        """How far the space's priors can be trusted, from 0 to 1; 0 where it has none.

        The probability, as a t statistic gives it, that recipes of the better third are believed in more than the
        others are.
        """
        encoding = self._forecast.encoding(history)
        if not encoding.has_priors:
            return 0.0
        numbers = [run.number for run in history if run.epochs]
        hopes = self._forecast.promise(history, numbers)
        if hopes is None or len(numbers) < JUDGES:
            return 0.5
        from scipy.special import ndtr

        order = np.argsort(hopes)
        belief = encoding.belief(self._forecast.points(history, numbers))[order]
        others, better = np.split(belief, [len(belief) - max(2, len(belief) // 3)])
        noise = math.sqrt(better.var(ddof=1) / len(better) + others.var(ddof=1) / len(others))
        return float(ndtr((better.mean() - others.mean()) / max(noise, 1e-9)))

    def gain(self, history: History) -> float:
        """Expected improvement over the best COMPLETE trial of the recipe that promises most of it.

        Forecasts are surer of themselves than they should be, so their deviations count `DOUBT` times here. What
        is normal there is skewed as a score, so the mean is a sum over steps of a normal distribution.

        Source: Jones et al., Efficient global optimization of expensive black-box functions, 1998.
        """
        epochs = history.fold_epochs or history.max_epochs  # of several folds the first one is foreseen
        complete = [
            history.best_so_far(run.number)[min(run.epochs, epochs) - 1]
            for run in history
            if run.status is Status.COMPLETE
        ]
        if len(history) < SETTLED or not complete or not self._forecast.update(history):
            return math.inf
        rng = np.random.default_rng([derive_seed(self._seed, "gain") % 2**32, len(history)])
        encoding = self._forecast.encoding(history)
        candidates = np.vstack([encoding.draw(rng, CANDIDATES), self._near_the_best(history, encoding, rng)])
        mean, deviation = self._forecast.predict(candidates)
        gained = self._forecast.in_scores(mean + DOUBT * deviation * STEPS[:, None]) - max(complete)
        return float((WEIGHTS @ np.maximum(gained, 0.0)).max())

    def _near_the_best(self, history: History, encoding: Encoding, rng: np.random.Generator) -> Array:
        """Variations of the trials of which most is expected."""
        best = self._forecast.points(history, self._forecast.best(history, BEST))
        return _varied(encoding, rng, best)


def _varied(encoding: Encoding, rng: np.random.Generator, parents: Array) -> Array:
    """`CANDIDATES` recipes near these: some parameters moved, from hardly to far."""
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


def _drawn(encoding: Encoding, rng: np.random.Generator, count: int, trust: float) -> Array:
    """Points drawn uniformly, or from the space's priors by as much as these are trusted."""
    points = encoding.draw(rng, count)
    if trust:
        believed = rng.random(count) < min(trust, TRUSTED)
        points[believed] = encoding.draw_believed(rng, count)[believed]
    return points
