"""How much a search may spend, and when it turns from trying to finishing."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from search.decisions.history import NEVER, History, Status
from search.decisions.kept import NOTHING, Kept
from search.decisions.prices import Prices

STEADY = 0.5
"""Share of the workers' time that epochs are taken to fill at least, before the pace can be seen."""
SEEN = 5
"""Epochs a worker after which it can."""
SEARCHING = 0.5
"""Share of a limit that the search has at least, whatever is kept of it."""


def of_search(limit: float, kept: float, gone: float = 0.0) -> float:
    """What of a limit the search may spend: what is not kept, and half of it at least.

    Args:
        limit: Epochs or seconds of the study.
        kept: Of these, for what follows the search.
        gone: Of these, before the first epoch began: halved is what is left then.
    """
    return max(limit - kept, gone + SEARCHING * (limit - gone) if gone < limit else limit)


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
    """Limits of a study; its search ends at the first that is reached.

    Args:
        trials: Trials of the search that may begin; none for no limit.
        epochs: Epochs of all trainings together; none for no limit.
        seconds: Of the clock; none for no limit.
        enough: The search ends by itself once no new recipe is expected to gain so much score; none for never.
        workers: Trials at a time.
        kept: What is kept of the epochs and of the seconds for what follows the search.
    """

    trials: int | None = None
    epochs: float | None = None
    seconds: float | None = None
    enough: float | None = None
    workers: int = 1
    kept: Kept = NOTHING

    def left(self, history: History, seconds: float) -> Left:
        """What the search may still train.

        Args:
            history: What was trained so far.
            seconds: How long that took. What is left of the time is turned into epochs at the same pace, the time
                before the first epoch left out, for a start is made once.
        """
        together = self._epochs_of_search(history.max_epochs) - len(history.events)
        each = math.inf
        if self.seconds is not None:
            remaining = self._seconds_of_search(history, seconds) - seconds
            pace = self._pace(history, seconds)
            in_time = remaining * pace if pace > 0 else math.copysign(math.inf, remaining)
            each = in_time / self.workers
            together = min(together, in_time)
        return Left(together, each, lost=math.isfinite(together) and not self._is_full(history))

    def _epochs_of_search(self, whole: int) -> float:
        """Epochs that the search may train; infinitely many without a limit."""
        return math.inf if self.epochs is None else of_search(self.epochs, self.kept.epochs(whole))

    def _seconds_of_search(self, history: History, seconds: float) -> float:
        """Seconds that it may take, likewise."""
        if self.seconds is None:
            return math.inf
        return of_search(self.seconds, self._seconds_kept(history, seconds), history.began)

    def _seconds_kept(self, history: History, seconds: float) -> float:
        """How long what follows the search may take, by what the trials that are best so far take; 0 at first."""
        pace = self._pace(history, seconds)
        if not self.kept.trainings or pace <= 0:
            return 0.0
        training = history.max_epochs * self.workers / pace
        prices = Prices(history)
        runs = [run for run in history if run.status not in NEVER]
        best = heapq.nlargest(self.kept.finalists, runs, key=lambda run: history.score(run.number))
        finalists = [training * prices.of(run) for run in best] or [training]
        baseline = (
            training * prices.of(history[0]) if 0 in history else training
        )  # the first trial of every study
        return self.kept.seconds(finalists, baseline, self.workers)

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
        """The share of what the search may spend that is spent, in [0, 1], by the nearest limit; none without one."""
        shares = [
            used / limit if limit > 0 else 1.0
            for used, limit in (
                (len(history), self.trials),
                (len(history.events), self._epochs_of_search(history.max_epochs)),
                (seconds, self._seconds_of_search(history, seconds)),
            )
            if limit is not None and limit < math.inf
        ]
        return min(1.0, max(shares)) if shares else None

    def reason(self, history: History, seconds: float) -> str:
        """Which limit it is that closes the search."""
        if self._is_full(history):
            return f"all {self.trials} trials have begun"
        epochs = self._epochs_of_search(history.max_epochs)
        if self.epochs is not None and epochs - len(history.events) <= self.left(history, seconds).together:
            limit, unit, kept = self.epochs, "epochs", self.epochs - epochs
        else:
            limit, unit = self.seconds or 0.0, "seconds"
            kept = limit - self._seconds_of_search(history, seconds)
        sentence = f"the {limit:g} {unit} of its budget are needed to finish the best trials"
        return f"{sentence}, about {kept:.0f} of them for the confirmation" if kept >= 0.5 else sentence

    def terms(self, whole: int) -> str:
        """What of the epochs is kept, or that it is too little, in a sentence; empty where nothing is.

        Args:
            whole: Epochs of a training.
        """
        if self.epochs is None or not self.kept.trainings:
            return ""
        needed, limit = self.kept.epochs(whole), self._epochs_of_search(whole)
        if needed + min(limit, (self.trials or math.inf) * whole) > self.epochs + 0.5:
            return _too_little(f"{needed:g} epochs", self.epochs, limit)
        return f"{needed:g} of the {self.epochs:g} epochs are kept for the confirmation"

    def shortage(self, history: History, seconds: float) -> str:
        """That what is kept of the time is too little, in a sentence; empty where it is not, or not yet known."""
        if self.seconds is None or len(history.events) <= SEEN * self.workers:
            return ""
        needed, limit = self._seconds_kept(history, seconds), self._seconds_of_search(history, seconds)
        if needed + limit <= self.seconds + 0.5:
            return ""
        return _too_little(f"{needed:.0f} seconds", self.seconds, limit)

    def _is_full(self, history: History) -> bool:
        return self.trials is not None and len(history) >= self.trials


def _too_little(needed: str, limit: float, searching: float) -> str:
    return (
        f"the confirmation may take longer than the limit leaves: about {needed}, "
        f"but of {limit:g} the search has {searching:.0f}"
    )
