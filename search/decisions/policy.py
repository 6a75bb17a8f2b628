"""What to run next: a searcher, a scheduler and what they have seen, as one."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Protocol, runtime_checkable

from search.decisions.budget import UNLIMITED, Budget, Stage
from search.decisions.history import History, Status
from search.decisions.scheduler import Decision, Scheduler
from spaces import InputError, Params


class Searcher(Protocol):
    """Proposes recipes. What it knows it reads from the history."""

    def propose(self, history: History, number: int) -> Params:
        """A recipe for the new trial `number`.

        The same history and number give the same recipe, so that decisions can be repeated.
        """
        ...


@runtime_checkable
class Foreseeing(Searcher, Protocol):
    """A searcher that knows what it may still find."""

    def gain(self, history: History) -> float:
        """How much more score than the best COMPLETE trial's a new recipe may be expected to reach.

        Returns:
            Infinity where too little is known to say.
        """
        ...


class Policy:
    """Keeps the history, and asks searcher and scheduler.

    Ray's run of a study, its replay after a restart and a simulation all go through here, so for the same
    events in the same order the decisions are the same.

    Args:
        history: Empty, or what an earlier driver left.
        searcher: Who proposes.
        scheduler: Who judges.
        budget: How much may be spent; without one, no limit.

    Raises:
        InputError: The budget ends the search by what may still be found, which the searcher does not know.
    """

    def __init__(
        self, history: History, searcher: Searcher, scheduler: Scheduler, budget: Budget | None = None
    ) -> None:
        self.history = history
        self.budget = budget if budget is not None else Budget()
        self._searcher = searcher
        self._scheduler = scheduler
        self._gain = (0, math.inf)
        self._seconds = 0.0
        self._left = UNLIMITED
        if self.budget.enough is not None and not isinstance(searcher, Foreseeing):
            raise InputError("`enough` needs a searcher that foresees, as `default` does")

    @property
    def rungs(self) -> Collection[int]:
        """The epochs after which a trial may be told to pause or to stop."""
        return self._scheduler.rungs

    def propose(self, number: int) -> Params:
        """A recipe for the new trial `number`."""
        return self._searcher.propose(self.history, number)

    def stage(self, seconds: float) -> Stage:
        """Where the search stands after `seconds`."""
        self._seconds = seconds
        self._tell_spent()
        stage = self._by_budget(seconds)
        self._left = self.budget.left(self.history, seconds)
        if stage is not Stage.OPEN or not self._settled():
            return stage
        self._left = replace(self._left, lost=False)
        return Stage.CLOSING

    def _tell_spent(self) -> None:
        self.history.spent = self.budget.spent(self.history, self._seconds)
        left = self.budget.left(self.history, self._seconds)
        self.history.horizon = len(self.history.events) + max(left.together, 0.0)

    def _by_budget(self, seconds: float) -> Stage:
        """Where the search stands by what it has spent alone."""
        return self.budget.stage(self.history, seconds, self._scheduler.closes)

    def reason(self, seconds: float) -> str:
        """Why no new trial begins, once none does."""
        if self._by_budget(seconds) is Stage.OPEN:
            return f"no new recipe is expected to gain {self.budget.enough:g} more"
        return self.budget.reason(self.history, seconds)

    def shortage(self, seconds: float) -> str:
        """That too little of the time is kept for what follows the search, in a sentence; else empty."""
        return self.budget.shortage(self.history, seconds)

    def _settled(self) -> bool:
        """Whether nothing is to be expected any more that is worth the search."""
        if self.budget.enough is None or not isinstance(self._searcher, Foreseeing):
            return False
        seen = len(self.history.events)
        if seen != self._gain[0]:
            self._gain = (seen, self._searcher.gain(self.history))
        return self._gain[1] < self.budget.enough

    def resume(self, stage: Stage) -> int | None:
        """The paused trial to go on with; none for a new one or, where none may begin, for nothing more.

        Args:
            stage: What `stage` has just said.
        """
        if stage is Stage.OVER:
            return None
        return self._scheduler.resume(self.history, closing=stage is Stage.CLOSING, left=self._left)

    def begin(self, number: int, params: Params) -> None:
        """A trial begins, or goes on."""
        if number in self.history:
            run = self.history[number]
            run.params, run.status = params, Status.RUNNING
        else:
            self.history.begin(number, params)

    def on_record(
        self, number: int, epoch: int, score: float, seconds: float = 0.0, clock: float | None = None
    ) -> Decision:
        """An epoch is over. A trial that pauses or stops is marked so; its end is told by `end`.

        Args:
            number: Which trial.
            epoch: From 1.
            score: Higher is better.
            seconds: What the epoch took; 0 where nobody knows.
            clock: Seconds that the search has taken; none for as many as it had at the last `stage`.
        """
        if clock is not None:
            if not self.history.events:
                self.history.began = max(0.0, clock - seconds)
            self._seconds = clock
        best = self.history.record(number, epoch, score, seconds)
        self._tell_spent()
        decision = self._scheduler.on_record(self.history, number, epoch, best)
        if decision is Decision.PAUSE:
            self.history[number].status = Status.PAUSED
            self.history[number].pauses.append(epoch)
        return decision

    def end(self, number: int, status: Status, *, diverged: bool = False) -> None:
        """A trial will never train again."""
        run = self.history[number]
        run.status, run.diverged = status, diverged
