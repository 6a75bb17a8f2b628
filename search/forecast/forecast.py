"""From a history to what each recipe may reach at its full budget."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from search.decisions.history import History, Run, Status
from search.forecast.gaussian import Array, GaussianProcess
from search.searchers.encoding import Encoding

START = 8
"""Observations before there is a model."""
GROWTH, STEP = 1.3, 5
"""The hyperparameters are fitted anew when the observations have grown by this factor, and by so many."""
FIT_ON = 150
"""Observations that a fit looks at; its time grows with their cube."""
KEEP = 300
"""Observations that predictions rest on."""


def checkpoints(max_epochs: int, ratio: float = 3.0, depth: int = 3) -> tuple[int, ...]:
    """Epochs that stand for a course: the full budget, a third of it, a ninth, …, and the first."""
    found = {1, max_epochs}
    for power in range(depth + 1):
        found.add(max(1, round(max_epochs / ratio**power)))
    return tuple(sorted(found))


class Forecast:
    """A Gaussian process over recipes and epochs that follows a history.

    It learns from the scores of single epochs and not from the best so far: a curve that fell after a lucky start
    is told from one that rises. Each run is seen at some epochs of its course and at its last one. Scores
    are brought to mean 0 and spread 1, and what lies far below the others is moved up to them: how bad a bad
    recipe is teaches nothing about good ones. A recipe that diverged counts as the worst at its full budget.
    Running trials are taken to reach what they are expected to, so that workers do not all try the same.

    What it says follows from the history alone.

    Args:
        seed: Of the choice of observations where there are too many.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._encoding: Encoding | None = None
        self._points: dict[int, Array] = {}
        self._seen = 0
        self._observed: list[tuple[int, int]] = []  # trial, epoch
        self._next_fit = START
        self._state: tuple[object, ...] = ()
        self._ready = False

    def encoding(self, history: History) -> Encoding:
        """How recipes become points."""
        if self._encoding is None:
            self._encoding = Encoding(history.space)
            self._process = GaussianProcess(self._encoding.slots)
            self._epochs = history.fold_epochs or history.max_epochs
            self._grid = frozenset(checkpoints(self._epochs))
        return self._encoding

    def point(self, history: History, number: int) -> Array:
        """A trial's recipe as a point."""
        if number not in self._points:
            self._points[number] = self.encoding(history).encode(history[number].params)
        return self._points[number]

    def update(self, history: History) -> bool:
        """Take in what has happened since.

        Returns:
            Whether enough is known to predict anything.
        """
        self.encoding(history)
        running = tuple(run.number for run in history if run.status is Status.RUNNING)
        lost = sum(run.diverged for run in history)
        state = (len(history.events), running, lost)
        if state == self._state:
            return self._ready
        self._state = state
        for number, epoch in history.events[self._seen :]:
            if epoch in self._grid:
                self._observed.append((number, epoch))
                if len(self._observed) >= self._next_fit:
                    self._fit(history)
                    count = len(self._observed)
                    self._next_fit = max(count + STEP, int(count * GROWTH))
        self._seen = len(history.events)
        self._ready = len(self._observed) >= START
        if self._ready:
            self._condition(history, running)
        return self._ready

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at the full budget, in the forecast's own scale.

        Args:
            points: Recipes that have not been tried: shape (points, columns). `update` must have said true.
        """
        return self._process.predict(points)

    def outlook(self, history: History, numbers: Sequence[int]) -> tuple[Array, Array]:
        """The same for trials."""
        return self._process.predict(np.array([self.point(history, number) for number in numbers]))

    def promise(
        self, history: History, numbers: Sequence[int], *, optimism: float = 0.0
    ) -> Sequence[float] | None:
        """What each trial may be hoped to reach; none where too little is known. See `promotion.Forecast`."""
        if not self.update(history):
            return None
        expected, deviation = self.outlook(history, numbers)
        return [float(hope) for hope in expected + optimism * deviation]

    def _left(self, epoch: int) -> float:
        return 1.0 - math.log(epoch) / math.log(self._epochs) if self._epochs > 1 else 0.0

    def _gather(
        self, history: History, observed: Sequence[tuple[int, int]], lost: Sequence[Run]
    ) -> tuple[Array, Array, Array]:
        numbers = [number for number, _ in observed] + [run.number for run in lost]
        left = [self._left(epoch) for _, epoch in observed] + [0.0] * len(lost)
        scores = np.array([history[number].scores[epoch] for number, epoch in observed])
        scores = _level(np.concatenate([scores, np.full(len(lost), scores.min())]))
        return np.array([self.point(history, number) for number in numbers]), np.array(left), scores

    def _fit(self, history: History) -> None:
        last = max(number for number, _ in self._observed)
        lost = [run for run in history if run.diverged and run.number < last]
        points, left, scores = self._gather(history, self._observed, lost)
        chosen = self._choose(scores, FIT_ON, 1 / 3)
        self._process.fit(points[chosen], left[chosen], scores[chosen] - scores.mean())

    def _condition(self, history: History, running: Sequence[int]) -> None:
        ends = [
            (run.number, run.epochs)
            for run in history
            if 0 < run.epochs <= self._epochs and run.epochs not in self._grid
        ]
        lost = [run for run in history if run.diverged]
        points, left, scores = self._gather(history, [*self._observed, *ends], lost)
        scores = scores - scores.mean()
        chosen = self._choose(scores, KEEP, 1 / 2)
        points, left, scores = points[chosen], left[chosen], scores[chosen]
        self._process.condition(points, left, scores)
        if running:
            ahead = np.array([self.point(history, number) for number in running])
            expected, _ = self._process.predict(ahead)
            self._process.condition(
                np.vstack([points, ahead]),
                np.concatenate([left, np.zeros(len(running))]),
                np.concatenate([scores, expected]),
            )

    def _choose(self, scores: Array, count: int, best: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Which observations to keep where there are more than `count`: the best ones, and some of the others."""
        if len(scores) <= count:
            return np.arange(len(scores))
        top = int(count * best)
        order = np.argsort(-scores, kind="stable")
        rng = np.random.default_rng([self._seed % 2**32, len(scores)])
        return np.sort(np.concatenate([order[:top], rng.choice(order[top:], count - top, replace=False)]))


def _level(scores: Array) -> Array:
    """Mean 0, spread 1; what lies far below the others is moved up to them."""
    low, high = np.quantile(scores, 0.1), scores.max()
    scores = np.maximum(scores, low - 0.3 * (high - low))
    leveled: Array = (scores - scores.mean()) / max(float(scores.std()), 1e-9)
    return leveled
