"""One phase of a study: which trials it starts, and what becomes of each after each of its records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from optuna.trial import FrozenTrial, TrialState

from search.decisions.scheduler import Decision, Scheduler
from search.ledger import Assignment, Ledger, records_of, time_of
from search.score import FOLD_EPOCHS, trial_score
from trainables.protocol import EpochRecord


class Listener(Protocol):
    """Told of everything that happens to trials, after the ledger has it. MLflow and the screen are such."""

    def on_start(self, phase: str, trial: FrozenTrial, resumed_at: int) -> None:
        """A trial begins, or goes on after `resumed_at` epochs."""

    def on_record(self, phase: str, number: int, record: EpochRecord, time_ms: int) -> None:
        """An epoch is recorded."""

    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """A trial has its final state."""


class Phase:
    """Runs the trials of one ledger up to a number, resumed ones first.

    Args:
        name: ``search`` or ``confirm``.
        ledger: What it reads and writes.
        scheduler: Who judges records.
        max_epochs: Full budget of a trial.
        target: How many trials the ledger shall hold in the end (a failed one counts).
        seed_of: Trial number → seed.
        listener: Who is told.
        may_start: Asked before a new trial begins; resumed ones are not asked for.
    """

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        scheduler: Scheduler,
        *,
        max_epochs: int,
        target: int,
        seed_of: Callable[[int], int],
        listener: Listener,
        may_start: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.ledger = ledger
        self.target = target
        self._scheduler = scheduler
        self._max_epochs = max_epochs
        self._seed_of = seed_of
        self._listener = listener
        self._may_start = may_start
        self._live: set[int] = set()
        self._verdicts: dict[int, Decision] = {}
        self._ended: dict[int, EpochRecord] = {}
        self._to_resume = self._take_over()

    def _take_over(self) -> list[int]:
        """Stand where an earlier driver stood: the rungs as they were, its living trials to be resumed."""
        trials = self.ledger.trials()
        events = sorted(
            (time_of(trial, record.epoch), trial.number, record.epoch, record)
            for trial in trials
            for record in records_of(trial)
        )
        fold_epochs = {trial.number: trial.user_attrs.get(FOLD_EPOCHS) for trial in trials}
        scores: dict[int, dict[int, float]] = {}
        for _, number, _, record in events:  # in the order in which they were judged
            if record.ended:
                self._ended[number] = record
            scores.setdefault(number, {})[record.epoch] = record.score
            score = trial_score(scores[number], fold_epochs[number])
            self._verdicts[number] = self._scheduler.on_record(number, record.epoch, score)
        return [trial.number for trial in trials if trial.state is TrialState.RUNNING]

    @property
    def is_done(self) -> bool:
        """Nothing runs, and nothing is to be started."""
        return not self._live and not self._has_next()

    def _has_next(self) -> bool:
        if self._to_resume:
            return True
        begun = sum(trial.state is not TrialState.WAITING for trial in self.ledger.trials())
        return begun < self.target and self._may_start()

    def next(self) -> Assignment | None:
        """The next trial to run, or none."""
        while self._has_next():
            if self._to_resume:
                assignment = self.ledger.adopt(self._to_resume.pop(0), self._seed_of)
            else:
                assignment = self.ledger.ask(self._seed_of)
            self._live.add(assignment.number)
            trial = self.ledger.trial(assignment.number)
            self._listener.on_start(self.name, trial, assignment.known)
            # A driver may have died between a record and what followed from it.
            ended = self._ended.get(assignment.number)
            if assignment.known >= self._max_epochs or ended is not None:
                self._complete(assignment.number, ended)
            elif assignment.known and self._verdicts.get(assignment.number) is Decision.STOP:
                self._prune(assignment.number, assignment.known)
            else:
                return assignment
        return None

    def on_record(self, number: int, record: EpochRecord) -> Decision:
        """Write a record and judge it. One that the ledger already has is passed over."""
        if number not in self._live:
            return Decision.STOP
        time_ms = self.ledger.record(number, record)
        decision = Decision.CONTINUE
        if time_ms is not None:
            self._listener.on_record(self.name, number, record, time_ms)
            # A trial's last record is judged too: it counts at its rung, as it does when a driver takes over.
            decision = self._scheduler.on_record(number, record.epoch, self.ledger.best_so_far(number))
        if record.epoch >= self._max_epochs or record.ended:
            self._complete(number, record)
            return Decision.STOP
        if decision is Decision.STOP:
            self._prune(number, record.epoch)
        return decision

    def on_failure(self, number: int, reason: str, *, diverged: bool = False) -> None:
        """A trial broke: by its recipe (`diverged`), by its code, or with its worker."""
        if number in self._live:
            self._end(number, self.ledger.fail(number, reason, diverged=diverged))

    def _prune(self, number: int, epoch: int) -> None:
        reason = f"stopped by the scheduler at epoch {epoch}"
        self._end(number, self.ledger.finish(number, TrialState.PRUNED, reason))

    def _complete(self, number: int, last: EpochRecord | None = None) -> None:
        """The trial went as far as its recipe goes: to its full budget, or to where it ends by itself."""
        self._end(number, self.ledger.finish(number, TrialState.COMPLETE, own_end(last)))

    def _end(self, number: int, trial: FrozenTrial) -> None:
        self._live.discard(number)
        self._listener.on_end(self.name, trial)


def own_end(last: EpochRecord | None) -> str:
    """Why a COMPLETE trial has fewer epochs than the budget; empty for one that has them all."""
    return f"ended by its own rule at epoch {last.epoch}: {last.ended}" if last and last.ended else ""
