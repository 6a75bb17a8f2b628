"""A search on simulated time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search.decisions.budget import Budget, Stage
from search.decisions.history import History, Status
from search.decisions.policy import Policy, Searcher
from search.decisions.scheduler import Decision, Scheduler
from search.policies import make_parts
from search.simulation.curves import Curve
from spaces import InputError, Params, SearchSpace

if TYPE_CHECKING:
    import pandas

COLUMNS = ("trial", "epoch", "score", "clock", "epochs_spent")


@dataclass(frozen=True)
class Simulation:
    """What a simulated search did.

    Args:
        history: A row per finished epoch in order of the simulated clock: ``trial``, ``epoch`` (from 1),
            ``score``, ``clock`` (seconds), ``epochs_spent`` (by all trials, this epoch included), and a column
            per parameter (missing where the recipe has not that parameter). An epoch in which a recipe diverged
            has no row, but counts as spent.
        runs: The same as the decisions saw it.
        reason: Why no new trials began in the end; empty where the budget ended before.
    """

    history: pandas.DataFrame
    runs: History
    reason: str = ""

    def best_at(self, epochs: float) -> float:
        """The best score seen until `epochs` were spent; minus infinity before the first."""
        seen = self.history["score"][self.history["epochs_spent"] <= epochs]
        return float(seen.max()) if len(seen) else -np.inf


def simulate(
    space: SearchSpace,
    curve: Curve,
    max_epochs: int = 51,
    budget_epochs: float | None = None,
    workers: int = 4,
    searcher: str | Searcher = "default",
    scheduler: str | Scheduler = "default",
    seed: int = 0,
    *,
    budget_seconds: float | None = None,
    trials: int | None = None,
    enough: float | None = None,
    memory: Sequence[History] = (),
    eta: float | None = None,
    grace: int = 1,
    finish: int = 3,
) -> Simulation:
    """Search `space` where `curve` says what each training gives, and how long it takes.

    Decisions are those of a real study (`search.decisions.policy.Policy`); only the training is not done, and
    the clock is advanced instead. The same arguments give the same search.

    Args:
        space: What may vary.
        curve: Recipe → (scores, seconds): arrays of length `max_epochs`. Higher scores are better; from the
            first NaN on the recipe has diverged.
        max_epochs: Full budget of a trial.
        budget_epochs: The search ends when trials have spent so many epochs together; none for no limit.
        workers: Trials at a time.
        searcher: Name, as in a study's spec, or a `Searcher`.
        scheduler: Name, as in a study's spec, or a `Scheduler`.
        seed: Of the decisions.
        budget_seconds: The search ends at this simulated time; none for no limit.
        trials: How many trials may begin; none for no limit.
        enough: The search ends by itself once no new recipe is expected to gain so much score; none for never.
        memory: What earlier searches of the same space saw (`Simulation.runs`), for the default searcher.
        eta: One in `eta` goes on at each rung, for schedulers given by name; their own if not given.
        grace: First rung, epochs, likewise.
        finish: How many of the best trials shall have their full budget in the end; of ``default`` and ``promotion``.

    Raises:
        InputError: An unknown name, no limit at all, or curves of another length.
    """
    if budget_epochs is None and budget_seconds is None and trials is None:
        raise InputError("one of budget_epochs, budget_seconds and trials must be given")
    history = History(space, max_epochs, timed=budget_seconds is not None)
    parts = make_parts(
        searcher, scheduler, max_epochs, seed=seed, grace=grace, eta=eta, finish=finish, memory=memory
    )
    policy = Policy(history, *parts, Budget(trials, budget_epochs, budget_seconds, enough, workers))
    clockwork = _Clockwork(policy, curve, max_epochs, workers)
    clockwork.run(
        np.inf if budget_epochs is None else budget_epochs,
        np.inf if budget_seconds is None else budget_seconds,
    )
    return Simulation(clockwork.table(), history, clockwork.reason)


class _Clockwork:
    """Workers that finish epochs one after the other, in the order of the clock."""

    def __init__(self, policy: Policy, curve: Curve, max_epochs: int, workers: int) -> None:
        self._policy, self._curve, self._max_epochs = policy, curve, max_epochs
        self._idle = workers
        self.reason = ""
        self._due: list[tuple[float, int, int]] = []  # when an epoch ends, order of entry, trial
        self._order = itertools.count()
        self._curves: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self._rows: list[tuple[int, int, float, float, int]] = []
        self._spent = 0

    def run(self, budget_epochs: float, budget_seconds: float) -> None:
        self._employ(0.0)
        while self._due and self._spent < budget_epochs:
            clock, _, number = heapq.heappop(self._due)
            if clock > budget_seconds:
                break
            self._finish_epoch(number, clock)
            self._employ(clock)

    def _employ(self, clock: float) -> None:
        """Give each idle worker a trial, where there is one."""
        history = self._policy.history
        while self._idle:
            stage = self._policy.stage(clock)
            number = self._policy.resume(stage)
            self.reason = "" if stage is Stage.OPEN else self._policy.reason(clock)
            if number is None:
                if stage is not Stage.OPEN:
                    return
                number = len(history)
                params = self._policy.propose(number)
                self._curves[number] = self._checked(params)
                self._policy.begin(number, params)
            else:
                self._policy.begin(number, history[number].params)
            self._idle -= 1
            self._train(number, clock)

    def _checked(self, params: Params) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scores, seconds = (np.asarray(given, dtype=np.float64) for given in self._curve(params))
        if scores.shape != (self._max_epochs,) or seconds.shape != (self._max_epochs,):
            raise InputError(
                f"a curve must have {self._max_epochs} scores and as many seconds, "
                f"but got shapes {scores.shape} and {seconds.shape}"
            )
        return scores, seconds

    def _train(self, number: int, clock: float) -> None:
        seconds = self._curves[number][1][self._policy.history[number].epochs]
        heapq.heappush(self._due, (clock + float(seconds), next(self._order), number))

    def _finish_epoch(self, number: int, clock: float) -> None:
        scores, seconds = self._curves[number]
        epoch = self._policy.history[number].epochs + 1
        score = float(scores[epoch - 1])
        self._spent += 1
        if np.isnan(score):
            self._idle += 1
            self._policy.end(number, Status.FAILED, diverged=True)
            return
        self._rows.append((number, epoch, score, clock, self._spent))
        decision = self._policy.on_record(number, epoch, score, float(seconds[epoch - 1]), clock)
        if epoch < self._max_epochs and decision is Decision.CONTINUE:
            self._train(number, clock)
            return
        self._idle += 1
        if epoch >= self._max_epochs:
            self._policy.end(number, Status.COMPLETE)
        elif decision is Decision.STOP:
            self._policy.end(number, Status.STOPPED)

    def table(self) -> pandas.DataFrame:
        import pandas

        history = self._policy.history
        table = pandas.DataFrame(self._rows, columns=list(COLUMNS))
        recipes = pandas.DataFrame(
            [history[number].params for number in table["trial"]], columns=list(history.space.leaves())
        )
        return pandas.concat([table, recipes], axis=1)
