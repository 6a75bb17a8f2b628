"""Successive halving by promotion: every trial pauses at each rung, and the best go on."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import Protocol

from search.decisions.budget import UNLIMITED, Left
from search.decisions.history import NEVER, History, Run, Status
from search.decisions.ladder import Ladder
from search.decisions.prices import Prices
from search.decisions.scheduler import Decision

SCOUTING = 0.2
"""Share of a search that all scouts together may take."""

RESERVE = 1.1
"""Of what finishing the best needs: what is left is an estimate, and the best may yet be others."""


class Forecast(Protocol):
    """Says of runs how good they will be."""

    def promise(
        self, history: History, numbers: Sequence[int], *, optimism: float = 0.0
    ) -> Sequence[float] | None:
        """The score that each run may be hoped to reach at its full budget, comparable among themselves.

        Args:
            history: All runs.
            numbers: Which ones.
            optimism: How many standard deviations above what is expected.

        Returns:
            None where too little is known yet.
        """
        ...

    def telling(self, history: History, epochs: Sequence[int]) -> Sequence[float] | None:
        """How well scores at each of some epochs tell what comes out in the end: correlations in [0, 1].

        Returns:
            None where too little is known yet.
        """
        ...


class Promotion:
    """Asynchronous successive halving, promotion type.

    A trial pauses at each rung. Whenever a worker is free, the highest rung that owes a promotion gives its best
    paused trial; where none does, a new trial begins. A rung owes one while fewer than one in η of those
    that paused at it went on. Unlike the stopping type, where each newcomer is held against the past alone and
    better and better proposals are let through nearly all, the share that goes on stays what it should be.

    With a forecast the first rung follows what is learnt (`Ladder.first`): where early scores tell the end, trials
    pause early and many are tried; where they mislead, later. Before anything is known it is the `start`-th from
    the top.

    Once no new trial may begin, the `finish` trials of which most is expected are finished, wherever they paused; and
    where epochs or time would be left over, then the next ones; of both as many as what is left is enough for. Where it
    is time that is left, one of the former goes on before that if it could not be done in time later.

    Args:
        ladder: Where trials pause, and how many go on.
        finish: How many of the best shall have their full budget in the end.
        forecast: Ranks the trials of a rung by what may become of them; none ranks by their scores, and lets all
            trials pause at all rungs.
        optimism: How hopefully the forecast is read while the search goes on; in the end it is read soberly.
        scouts: So many trials, the first ones, run through whatever they score. They show how early scores and
            late ones go together, which no rung can. Fewer where together they would take more than
            a fifth of the search.
        start: See above.

    Source: Li et al., MLSys 2020 (arXiv:1810.05934), algorithm 2.
    """

    def __init__(
        self,
        ladder: Ladder,
        finish: int = 3,
        forecast: Forecast | None = None,
        optimism: float = 0.0,
        scouts: int = 0,
        start: int = 3,
    ) -> None:
        self._ladder, self._finish = ladder, finish
        self._forecast, self._optimism, self._scouts = forecast, optimism, scouts
        self._start = start

    @property
    def rungs(self) -> tuple[int, ...]:
        """Those of the ladder."""
        return self._ladder.rungs

    def on_record(self, history: History, number: int, epoch: int, score: float) -> Decision:
        """Pause at each rung from the first on."""
        if epoch not in self._ladder.rungs or number < self._affordable(history):
            return Decision.CONTINUE
        return Decision.PAUSE if epoch >= self._first(history) else Decision.CONTINUE

    def _affordable(self, history: History) -> int:
        """How many scouts the search can afford."""
        trainings = history.horizon / history.max_epochs
        return int(min(self._scouts, SCOUTING * trainings))

    def _first(self, history: History) -> int:
        rungs = self._ladder.rungs
        if not rungs:
            return self._ladder.max_epochs
        if self._forecast is None:
            return rungs[0]
        telling = self._forecast.telling(history, rungs)
        if telling is None:
            return rungs[-min(self._start, len(rungs))]
        return self._ladder.first(telling, history.spent)

    def resume(self, history: History, *, closing: bool, left: Left = UNLIMITED) -> int | None:
        """From the highest rung that owes a promotion the best paused trial; when closing, the best of all."""
        if closing:
            return self._finished_next(history, left)
        urgent = self._urgent(history, left)
        if urgent is not None:
            return urgent
        # Rungs are where trials have paused, which an earlier driver may have placed otherwise.
        paused: dict[int, list[int]] = {}
        reached: dict[int, int] = {}
        gone: dict[int, int] = {}
        for run in history:  # one pass: histories are long, and this is asked at every turn
            for rung in run.pauses:
                reached[rung] = reached.get(rung, 0) + 1
                # Not gone are those that were given up there: a search that is made longer has some.
                gone[rung] = gone.get(rung, 0) + (run.epochs > rung or run.status is Status.RUNNING)
            if run.status is Status.PAUSED:
                paused.setdefault(run.epochs, []).append(run.number)
        for rung in sorted(paused, reverse=True):
            owed = math.floor(reached[rung] / self._ladder.eta)
            if gone[rung] < owed:
                best = self._best(history, paused[rung], rung, owed)
                if best is not None:
                    return best
        return None

    def _urgent(self, history: History, left: Left) -> int | None:
        """The best of the trials worth finishing that has to go on now to be done in time, and still can.

        It needs one worker; the others go on trying, until nothing that begins could be finished.
        """
        whole = history.max_epochs
        pace = _Pace(history, left)
        if left.each > (RESERVE * pace.slowest + 1) * whole:
            return None
        worth = self._worth_finishing(history)
        running = [run for run in history if run.status is Status.RUNNING]
        until_asked = min(self._claims(history, running, set(worth), pace), default=self._first(history))
        for number in worth:
            rest = pace.rest(history[number])
            if history[number].status is Status.PAUSED and rest <= left.each <= RESERVE * rest + until_asked:
                return number
        return None

    def _finished_next(self, history: History, left: Left) -> int | None:
        """The next trial to finish: of the `finish` best, then of those that what would be lost is enough for.

        None that what is left is not enough for beside those that run: which are the best changes while they train. But
        a search without a COMPLETE trial has no answer, so it finishes one whatever that costs.
        """
        ranked = self._ranked(history)
        worth = set(ranked[: self._finish])
        paused = [number for number in ranked if history[number].status is Status.PAUSED]
        running = [run for run in history if run.status is Status.RUNNING]
        answered = any(run.status is Status.COMPLETE for run in history)
        hopeful = running if left.together <= 0 else [run for run in running if run.number in worth]
        if not answered and not hopeful:
            return next(iter(paused), None)
        pace = _Pace(history, left)
        resumed = {run.number for run in running if run.pauses}
        claimed = sum(
            min(claim, left.each) for claim in self._claims(history, running, worth | resumed, pace)
        )
        room = min(left.together - claimed, left.each)
        candidates = paused if left.lost else [number for number in paused if number in worth]
        return next((number for number in candidates if pace.rest(history[number]) <= room), None)

    def closes(self, history: History, left: Left) -> bool:
        """Whether the best trials, and those that run until they pause, need all that is left.

        Or whether what is left is too little to finish one that begins now, be it the best of all.
        """
        whole = history.max_epochs
        running = [run for run in history if run.status is Status.RUNNING]
        pace = _Pace(history, left)
        most = RESERVE * whole * pace.slowest
        if left.together > (self._finish + len(running)) * most and left.each >= whole:
            return False
        worth = self._worth_finishing(history)
        if len(worth) == self._finish and min(left.together, left.each) < whole:
            return True
        needs = [pace.rest(history[number]) for number in worth if history[number].status is Status.PAUSED]
        needs += self._claims(history, running, set(worth), pace)
        return left.together <= RESERVE * sum(needs)

    def _claims(
        self, history: History, running: Sequence[Run], through: Container[int], pace: _Pace
    ) -> list[float]:
        """What running trials will train: those of `through` all that they have left, others until they pause."""
        scouts, first = self._affordable(history), self._first(history)
        claims = []
        for run in running:
            rungs = () if run.number < scouts or run.number in through else self._ladder.rungs
            following = (rung for rung in rungs if rung > run.epochs and rung >= first)
            claims.append(pace.of(run, next(following, history.max_epochs) - run.epochs))
        return claims

    def _worth_finishing(self, history: History) -> list[int]:
        """The `finish` trials of which most is expected, finished ones among them, the best first."""
        return self._ranked(history)[: self._finish]

    def _ranked(self, history: History) -> list[int]:
        """All trials by what is expected of them, finished ones among them, the best first."""
        numbers = [run.number for run in history if run.epochs and run.status not in NEVER]
        hopes = self._forecast.promise(history, numbers) if self._forecast is not None else None
        if hopes is None:
            hopes = [history.score(number) for number in numbers]
        ranked = sorted(zip(hopes, numbers, strict=True), key=lambda pair: (-pair[0], pair[1]))
        return [number for _, number in ranked]

    def _best(self, history: History, numbers: Sequence[int], rung: int, owed: int) -> int | None:
        """Of the trials paused at a rung the one to go on with."""
        hopes = None
        if self._forecast is not None:
            hopes = self._forecast.promise(history, numbers, optimism=self._optimism)
        if hopes is not None:
            return max(zip(hopes, numbers, strict=True), key=lambda pair: (pair[0], -pair[1]))[1]
        # One that is among the best of its rung, those that went on included: else the place is kept for later.
        scores = sorted(
            (history.best_so_far(run.number)[rung - 1] for run in history if run.epochs >= rung), reverse=True
        )
        best = max(numbers, key=lambda number: (history.score(number), -number))
        return best if history.score(best) >= scores[min(owed, len(scores)) - 1] else None


class _Pace:
    """Epochs of a dear recipe count for more where time is what is left: as many as usual ones take as long.

    Args:
        history: All runs.
        left: What may still be trained.
    """

    def __init__(self, history: History, left: Left) -> None:
        self._prices = Prices(history) if math.isfinite(left.each) else None
        self._whole = history.max_epochs
        self.slowest = self._prices.slowest if self._prices is not None else 1.0
        """Of the trials that may still train, what an epoch of the dearest takes over what it usually takes."""

    def of(self, run: Run, epochs: int) -> float:
        """So many epochs of a run, in usual ones."""
        return epochs * (self._prices.of(run) if self._prices is not None else 1.0)

    def rest(self, run: Run) -> float:
        """What a run has left of its full budget, in usual ones."""
        return self.of(run, self._whole - run.epochs)
