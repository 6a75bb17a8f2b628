"""What to run next: a searcher, a scheduler and what they have seen, as one."""

from __future__ import annotations

from typing import Protocol

from search.decisions.history import History, Status
from search.decisions.scheduler import Decision, Scheduler
from spaces import Params


class Searcher(Protocol):
    """Proposes recipes. What it knows it reads from the history."""

    def propose(self, history: History, number: int) -> Params:
        """A recipe for the new trial `number`.

        The same history and number give the same recipe, so that decisions can be repeated.
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
    """

    def __init__(self, history: History, searcher: Searcher, scheduler: Scheduler) -> None:
        self.history = history
        self._searcher = searcher
        self._scheduler = scheduler

    def propose(self, number: int) -> Params:
        """A recipe for the new trial `number`."""
        return self._searcher.propose(self.history, number)

    def resume(self, *, closing: bool) -> int | None:
        """The paused trial to go on with; none for a new one (or, when closing, for nothing more)."""
        return self._scheduler.resume(self.history, closing=closing)

    def begin(self, number: int, params: Params) -> None:
        """A trial begins, or goes on."""
        if number in self.history:
            run = self.history[number]
            run.params, run.status = params, Status.RUNNING
        else:
            self.history.begin(number, params)

    def on_record(self, number: int, epoch: int, score: float) -> Decision:
        """An epoch is over. A trial that pauses or stops is marked so; its end is told by `end`."""
        best = self.history.record(number, epoch, score)
        decision = self._scheduler.on_record(number, epoch, best)
        if decision is Decision.PAUSE:
            self.history[number].status = Status.PAUSED
        return decision

    def end(self, number: int, status: Status, *, diverged: bool = False) -> None:
        """A trial will never train again."""
        run = self.history[number]
        run.status, run.diverged = status, diverged
