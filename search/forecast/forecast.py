"""From a history to what each recipe may reach at its full budget."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.decisions.history import History, Status
from search.encoding import Encoding
from search.forecast.gaussian import Array, GaussianProcess
from search.forecast.levels import RANKED, Levels
from search.forecast.price import Price
from search.forecast.threads import one_thread
from spaces import Params

START = 8
"""Observations before there is a model."""
GROWTH, STEP = 1.3, 5
"""The hyperparameters are fitted anew when the observations have grown by this factor, and by so many."""
FIT_ON = 150
"""Observations that a fit looks at; its time grows with their cube."""
KEEP = 250
"""Observations that predictions rest on."""
REMEMBERED = 150
"""Observations that are kept of all earlier studies together."""
RECOMMENDED = 3
"""Recipes of earlier studies that are tried before anything is proposed."""
SHORT = 0.2
"""Recipes for each training that epochs or time suffice for, at most: in a short search what other data recommend costs
much."""
APART = 0.3
"""Distance in the unit cube from which on two recipes are not alike."""
PARENTS = 100
"""Of so many of the highest scores the trials are looked at for the best."""


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
    are leveled (`Levels`) before. A recipe that diverged counts as the worst at its full budget.
    Running trials are taken to reach what they are expected to, so that workers do not all try the same.

    What it says follows from the history alone.

    Earlier studies of the same space may be remembered. Their scores are leveled by themselves, and which study a score
    is of is one more coordinate: how much of one study holds for another is learnt like any other lengthscale.

    Args:
        seed: Of the choice of observations where there are too many.
        memory: What earlier studies saw.
        ranked: How far it goes by ranks of scores; see `Levels`.

    Source: Arango et al., Quick-Tune, ICLR 2024 (what was learnt on other data sets comes first).
    """

    def __init__(self, seed: int = 0, memory: Sequence[History] = (), ranked: float = RANKED) -> None:
        self._seed, self._ranked = seed, ranked
        self._memory = tuple(memory)
        self._encoding: Encoding | None = None
        self._points = np.zeros((0, 0))  # a row a trial
        self._encoded = 0
        self._seen = 0
        self._observed: list[tuple[int, int, float]] = []  # trial, epoch, score
        self._ends: dict[int, tuple[int, int, float]] = {}  # last epochs that are not among the observed ones
        self._next_fit = START
        self._state: tuple[object, ...] = ()
        self._ready = False
        self._levels = Levels(np.zeros(1))
        self._priced: tuple[int, Price] | None = None
        self._best: tuple[int, ...] = ()

    def encoding(self, history: History) -> Encoding:
        """How recipes become points."""
        if self._encoding is None:
            self._encoding = Encoding(history.space)
            self._points = np.zeros((64, self._encoding.columns))
            self._process = GaussianProcess(self._slots())
            self._remembered = [self._remember(index, earlier) for index, earlier in enumerate(self._memory)]
            self._epochs = history.fold_epochs or history.max_epochs
            self._grid = frozenset(checkpoints(self._epochs))
        return self._encoding

    def _slots(self) -> NDArray[np.int64]:
        """Of the process's columns: those of the recipe, and one a remembered study."""
        assert self._encoding is not None
        slots = self._encoding.slots
        return np.concatenate([slots, np.full(len(self._memory), slots.max(initial=-1) + 1)])

    def _of_study(self, points: Array, earlier: int | None = None) -> Array:
        """Recipes as the process takes them: of this study, or of an earlier one."""
        study = np.zeros((len(points), len(self._memory)))
        if earlier is not None:
            study[:, earlier] = 1.0
        return np.hstack([points, study])

    def _remember(self, index: int, earlier: History) -> tuple[Array, Array, Array]:
        """Points, what was left to train, and leveled scores of an earlier study."""
        assert self._encoding is not None
        epochs = earlier.fold_epochs or earlier.max_epochs
        grid = checkpoints(epochs)
        seen = [
            (run.number, epoch, run.scores[epoch])
            for run in earlier
            for last in [max((epoch for epoch in run.scores if epoch <= epochs), default=0)]
            for epoch in sorted({last, *grid} & run.scores.keys())
        ]
        seen += [(run.number, epochs, -math.inf) for run in earlier if run.diverged]
        if not any(math.isfinite(score) for *_, score in seen):
            return np.zeros((0, self._encoding.columns + len(self._memory))), np.zeros(0), np.zeros(0)
        scores = np.array([score for *_, score in seen])
        scores = np.where(np.isfinite(scores), scores, scores[np.isfinite(scores)].min())
        kept = self._choose(scores, REMEMBERED // len(self._memory), 1 / 2)
        points = self._encoding.encode_all([earlier[seen[row][0]].params for row in kept])
        left = left_of(np.array([seen[row][1] for row in kept]), epochs)
        return self._of_study(points, index), left, Levels(scores, self._ranked).leveled[kept]

    def recommended(self, history: History) -> list[Params]:
        """The best recipes of the remembered studies, by turns, none like another; fewer where the search is short."""
        encoding = self.encoding(history)
        # A search limited in time may be short, and before its first epoch nobody knows.
        most = 1 if history.timed and not history.events else RECOMMENDED
        count = int(min(most, SHORT * history.horizon / history.max_epochs))
        found: list[Params] = []
        taken: list[Array] = []
        ranked = [
            sorted(
                (run for run in earlier if run.status is Status.COMPLETE),
                key=lambda run: -max(run.scores.values()),
            )
            for earlier in self._memory
        ]
        for place in range(max(map(len, ranked), default=0)):
            for runs in ranked:
                if place >= len(runs) or len(found) == count:
                    continue
                point = encoding.encode(runs[place].params)
                if all(np.linalg.norm(point - other) > APART for other in taken):
                    found.append(runs[place].params)
                    taken.append(point)
        return found

    def points(self, history: History, numbers: Sequence[int]) -> Array:
        """Recipes of trials as points: shape (numbers, columns)."""
        encoding = self.encoding(history)
        for run in history.since(self._encoded):
            while run.number >= len(self._points):
                self._points = np.vstack([self._points, np.zeros_like(self._points)])
            self._points[run.number] = encoding.encode(run.params)
        self._encoded = len(history)
        chosen: Array = self._points[list(numbers)]
        return chosen

    def update(self, history: History) -> bool:
        """Take in what has happened since.

        Returns:
            Whether enough is known to predict anything.
        """
        self._follow(history)
        running = [run.number for run in history if run.status is Status.RUNNING]
        lost = [run.number for run in history if run.diverged]
        state = (len(history.events), tuple(running), len(lost))
        if state == self._state:
            return self._ready
        self._state = state
        if self._ready:
            with one_thread():
                self._condition(history, running, lost)
        return self._ready

    def _follow(self, history: History) -> None:
        """Take in new records as far as the process's hyperparameters go."""
        self.encoding(history)
        if self._seen == len(history.events):
            return
        lost = [run.number for run in history if run.diverged]
        with one_thread():
            for number, epoch in history.events[self._seen :]:
                self._observe(history, number, epoch, lost)
        self._seen = len(history.events)
        self._ready = len(self._observed) >= START

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at the full budget, in the forecast's own scale.

        Args:
            points: Recipes that have not been tried: shape (points, columns). `update` must have said true.
        """
        with one_thread():
            return self._process.predict(self._of_study(points))

    def in_scores(self, levels: Array) -> Array:
        """Values in the forecast's own scale as scores."""
        return self._levels.in_scores(levels)

    def outlook(self, history: History, numbers: Sequence[int]) -> tuple[Array, Array]:
        """The same for trials."""
        return self.predict(self.points(history, numbers))

    def _expected(self, history: History, numbers: Sequence[int]) -> Array:
        with one_thread():
            return self._process.expect(self._of_study(self.points(history, numbers)))

    def promise(
        self, history: History, numbers: Sequence[int], *, optimism: float = 0.0
    ) -> Sequence[float] | None:
        """What each trial may be hoped to reach; none where too little is known. See `promotion.Forecast`."""
        if not self.update(history):
            return None
        if not optimism:
            return [float(value) for value in self._expected(history, numbers)]
        expected, deviation = self.outlook(history, numbers)
        hopes = expected + optimism * deviation - self.price(history, self.points(history, numbers))
        return [float(hope) for hope in hopes]

    def price(self, history: History, points: Array) -> Array:
        """What recipes cost, as something to be taken from their upper bounds; 0 where time is not what is spent.

        In the forecast's own scale, whose spread is that of early epochs too: what counts is how far recipes differ in
        the end.
        """
        if not history.timed:
            return np.zeros(len(points))
        if self._priced is None or self._priced[0] != len(history.events):
            known = [run for run in history if run.epochs and run.seconds > 0]
            if len(known) < START:
                return np.zeros(len(points))
            seconds = np.array([run.seconds / run.epochs for run in known])
            price = Price(self.points(history, [run.number for run in known]), seconds)
            self._priced = (len(history.events), price)
        return self._priced[1].worth(points) * self._process.differing

    def telling(self, history: History, epochs: Sequence[int]) -> Sequence[float] | None:
        """Correlation of scores at each of `epochs` with the end; none where too little is known."""
        self._follow(history)
        if not self._ready:
            return None
        return [self._process.telling(left) for left in left_of(np.array(epochs), self._epochs)]

    def best(self, history: History, count: int) -> tuple[int, ...]:
        """The trials of which most is expected, the best first; at most `count`."""
        if not self.update(history):
            return ()
        expected = self._expected(history, self._best)
        order = np.argsort(-expected, kind="stable")[:count]
        return tuple(self._best[index] for index in order)

    def _observe(self, history: History, number: int, epoch: int, lost: Sequence[int]) -> None:
        if epoch > self._epochs:
            return  # a later fold
        seen = (number, epoch, history[number].scores[epoch])
        if epoch not in self._grid:
            self._ends[number] = seen
            return
        self._ends.pop(number, None)
        self._observed.append(seen)
        if len(self._observed) >= self._next_fit:
            last = max(trial for trial, _, _ in self._observed)
            points, left, scores, _ = self._gather(history, self._observed, [n for n in lost if n < last])
            chosen = self._choose(scores, FIT_ON, 1 / 3)
            self._process.fit(*self._joined(points[chosen], left[chosen], scores[chosen], FIT_ON))
            self._next_fit = max(len(self._observed) + STEP, int(len(self._observed) * GROWTH))

    def _joined(self, points: Array, left: Array, scores: Array, count: int) -> tuple[Array, Array, Array]:
        """What is seen with what is remembered: so much as leaves the whole at `count`, but a third at least."""
        parts = [(self._of_study(points), left, scores)]
        room = max(count - len(scores), count // 3)
        for remembered in self._remembered:
            share = slice(None, None, max(1, math.ceil(len(remembered[2]) * len(self._memory) / room)))
            parts.append((remembered[0][share], remembered[1][share], remembered[2][share]))
        together = tuple(np.concatenate(part) for part in zip(*parts, strict=True))
        return together[0], together[1], together[2]

    def _gather(
        self, history: History, observed: Sequence[tuple[int, int, float]], lost: Sequence[int]
    ) -> tuple[Array, Array, Array, tuple[int, ...]]:
        """Points, what was left to train, leveled scores, and whose they are."""
        numbers, epochs, scores = (list(column) for column in zip(*observed, strict=True))
        worst = min(scores)
        numbers += lost
        epochs += [self._epochs] * len(lost)
        scores += [worst] * len(lost)
        left = left_of(np.array(epochs), self._epochs)
        self._levels = Levels(np.array(scores), self._ranked)
        return self.points(history, numbers), left, self._levels.leveled, tuple(numbers)

    def _condition(self, history: History, running: Sequence[int], lost: Sequence[int]) -> None:
        observed = [*self._observed, *self._ends.values()]
        points, left, scores, numbers = self._gather(history, observed, lost)
        chosen = self._choose(scores, KEEP, 1 / 2)
        self._process.condition(*self._joined(points[chosen], left[chosen], scores[chosen], KEEP))
        top = np.argsort(-scores, kind="stable")[:PARENTS]
        self._best = tuple(sorted({numbers[index] for index in top}))
        if running:
            ahead = self._of_study(self.points(history, running))
            self._process.extend(ahead, self._process.expect(ahead))

    def _choose(self, scores: Array, count: int, best: float) -> NDArray[np.int64]:
        """Which observations to keep where there are more than `count`: the best ones, and some of the others."""
        if len(scores) <= count:
            return np.arange(len(scores))
        top = int(count * best)
        order = np.argsort(-scores, kind="stable")
        rng = np.random.default_rng([self._seed % 2**32, len(scores)])
        return np.sort(np.concatenate([order[:top], rng.choice(order[top:], count - top, replace=False)]))


def left_of(epochs: NDArray[np.int64], whole: int) -> Array:
    """What is left to train after `epochs` of `whole`: from 1 (after the first) to 0 (at the full budget)."""
    left: Array = np.zeros(len(epochs)) if whole == 1 else 1.0 - np.log(epochs) / math.log(whole)
    return left
