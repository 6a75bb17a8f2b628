"""How much a search may spend, and when it turns from trying to finishing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from search.decisions.history import History, Status

STEADY = 0.5
"""Share of the workers' time that epochs are taken to fill at least, before the pace can be seen."""
SEEN = 5
"""Epochs a worker after which it can."""


class Stage(Enum):
    """Where a search stands."""

    OPEN = "open"
    """New trials begin."""
    CLOSING = "closing"
    """No new trial begins; what is worth finishing is finished."""
    OVER = "over"
    """Nothing is started or resumed any more."""


@dataclass(frozen=True)
class Left:
    """Epochs that may still be trained, infinitely many where nothing limits them.

    Args:
        together: By all trials.
        each: By one trial, before the time is over.
        lost: Whether what is not trained is lost, so that there is something to fill up; else an early end costs
            nothing.
    """

    together: float
    each: float = math.inf
    lost: bool = False


UNLIMITED = Left(math.inf)
"""Where nothing limits what may be trained."""


@dataclass(frozen=True)
class Budget:
    """Limits of a search; it ends at the first that is reached.

    Args:
        trials: Trials that may begin; none for no limit.
        epochs: Epochs of all trials together; none for no limit.
        seconds: Of the clock; none for no limit.
        workers: Trials at a time.
        enough: The search ends by itself once no new recipe is expected to gain so much score; none for never.
    """

    trials: int | None = None
    epochs: float | None = None
    seconds: float | None = None
    enough: float | None = None
    workers: int = 1

    def left(self, history: History, seconds: float) -> Left:
        """What may still be trained.

        Args:
            history: What was trained so far.
            seconds: How long that took. What is left of the time is turned into epochs at the same pace, the time
                before the first epoch left out, for a start is made once.
        """
        spent = len(history.events)
        together = each = math.inf
        if self.seconds is not None:
            remaining = self.seconds - seconds
            pace = self._pace(history, seconds)
            together = remaining * pace if pace > 0 else math.copysign(math.inf, remaining)
            each = together / self.workers
        if self.epochs is not None:
            together = min(together, self.epochs - spent)
        return Left(together, each, lost=math.isfinite(together) and not self._is_full(history))

    def _pace(self, history: History, seconds: float) -> float:
        """Epochs a second, of all workers together; 0 where nothing is known."""
        spent = len(history.events)
        by_clock = spent / (seconds - history.began) if seconds > history.began else 0.0
        if spent > SEEN * self.workers:
            return by_clock
        trained = sum(run.seconds for run in history)
        return max(by_clock, STEADY * self.workers * spent / trained) if trained > 0 else by_clock

    def stage(self, history: History, seconds: float, closes: Callable[[History, Left], bool]) -> Stage:
        """Where the search stands.

        Args:
            history: What was trained so far.
            seconds: How long that took.
            closes: Says of a history and what is left whether all of it is needed to finish what is worth
                finishing.
        """
        left = self.left(history, seconds)
        if left.together <= 0 and any(run.status is Status.COMPLETE for run in history):
            return Stage.OVER  # a search without one complete trial has no answer, so it finishes one first
        if self._is_full(history) or closes(history, left):
            return Stage.CLOSING
        return Stage.OPEN

    def spent(self, history: History, seconds: float) -> float | None:
        """The share of the budget that is spent, from 0 to 1, by the limit that is nearest; none without a limit."""
        shares = [
            used / limit if limit > 0 else 1.0
            for used, limit in (
                (len(history), self.trials),
                (len(history.events), self.epochs),
                (seconds, self.seconds),
            )
            if limit is not None
        ]
        return min(1.0, max(shares)) if shares else None

    def reason(self, history: History, seconds: float) -> str:
        """Which limit it is that closes the search."""
        if self._is_full(history):
            return f"all {self.trials} trials have begun"
        if (
            self.epochs is not None
            and self.epochs - len(history.events) <= self.left(history, seconds).together
        ):
            return f"the {self.epochs:g} epochs of its budget are needed to finish the best trials"
        return f"the {self.seconds:g} seconds of its budget are needed to finish the best trials"

    def _is_full(self, history: History) -> bool:
        return self.trials is not None and len(history) >= self.trials
