"""One phase of a study: which trials it starts, and what becomes of each after each of its records."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping

from optuna.trial import FrozenTrial, TrialState

from search.decisions.budget import Budget, Stage
from search.decisions.faults import Causes, in_words, tried_again, wait
from search.decisions.history import Status
from search.decisions.listener import Listener
from search.decisions.policy import Policy
from search.decisions.scheduler import Decision
from search.elapsed import elapsed
from search.errors import StudyError
from search.ledger import PAUSES, Assignment, Ledger, records_of, time_of
from search.searchers.keep_away import DIVERGED
from trainables.diagnosis.diagnosis import Diagnosis
from trainables.protocol import EpochRecord

STATUS = {
    TrialState.COMPLETE: Status.COMPLETE,
    TrialState.PRUNED: Status.STOPPED,
    TrialState.FAIL: Status.FAILED,
}
"""The ledger's final states as the decisions see them."""


class Phase:
    """Runs the trials of one ledger up to a number, resumed ones first.

    Args:
        name: ``search`` or ``confirm``.
        ledger: What it reads and writes.
        policy: Who proposes and judges, and how much may be spent (failed trials count); its history is empty,
            and is filled from the ledger.
        max_epochs: Full budget of a trial.
        seed_of: Trial number → seed.
        listener: Who is told.
        clock: Seconds that the search has taken, those of earlier drivers among them.
        now: Seconds, for the waits before a trial that broke off goes on.

    Attributes:
        ended: Trials that have come to their final state since this driver began.
    """

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        policy: Policy,
        *,
        max_epochs: int,
        seed_of: Callable[[int], int],
        listener: Listener,
        clock: Callable[[], float] = lambda: 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.ledger = ledger
        self._policy = policy
        self._max_epochs = max_epochs
        self._seed_of = seed_of
        self._listener = listener
        self._clock = clock
        self._now = now
        self._due: dict[int, float] = {}
        self._causes = Causes()
        self.ended = 0
        self._open = self._told = self._warned = False
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
        moments = elapsed(trials)
        lost = deque(
            sorted((_ended_at(trial), trial.number) for trial in trials if DIVERGED in trial.user_attrs)
        )
        for trial in trials:
            if trial.state is not TrialState.WAITING:
                self._policy.begin(trial.number, trial.params)
        for moment, number, epoch, record in events:  # in the order in which they were judged
            while lost and lost[0][0] < moment:
                self._policy.end(lost.popleft()[1], Status.FAILED, diverged=True)
            if record.ended:
                self._ended[number] = record
            self._verdicts[number] = self._judge(number, record, moments[number, epoch])
        to_resume = []
        for trial in trials:
            if trial.number in self._policy.history:
                self._pause_again(trial)
            if trial.state.is_finished():
                diverged = DIVERGED in trial.user_attrs
                self._policy.end(trial.number, STATUS[trial.state], diverged=diverged)
            elif trial.state is TrialState.RUNNING and not self._is_paused(trial.number):
                self._policy.begin(trial.number, trial.params)
                to_resume.append(trial.number)
        return to_resume

    def _pause_again(self, trial: FrozenTrial) -> None:
        """The pauses of an earlier driver are facts, whatever would be decided now that more is known.

        Of its last record the driver may have died before it wrote the pause down; there the decision made now counts.
        """
        run = self._policy.history[trial.number]
        last = run.epochs if self._verdicts.get(trial.number) is Decision.PAUSE else 0
        run.pauses = sorted({*trial.user_attrs.get(PAUSES, []), *([last] if last else [])})
        if run.epochs in run.pauses:
            self._verdicts[trial.number] = Decision.PAUSE
            run.status = Status.PAUSED

    def _judge(self, number: int, record: EpochRecord, clock: float) -> Decision:
        seconds = record.metrics.get("epoch_seconds", 0.0)
        return self._policy.on_record(number, record.epoch, record.score, seconds, clock)

    def _is_paused(self, number: int) -> bool:
        """Whether an earlier driver paused a trial: its last record says so, unless it ended with it."""
        whole = self._policy.history[number].epochs >= self._max_epochs or number in self._ended
        return self._verdicts.get(number) is Decision.PAUSE and not whole

    @property
    def waits(self) -> list[int]:
        """The epochs after which a trial must wait for what is decided; after any other it goes on."""
        return sorted(self._policy.rungs)

    @property
    def is_done(self) -> bool:
        """Nothing runs, and nothing is to be started. What is paused then is given up."""
        if self._live or self._to_resume:
            return False
        stage = self._stage()
        if stage is Stage.OPEN or self._policy.resume(stage) is not None:
            return False
        for run in list(self._policy.history):
            if run.status is Status.PAUSED:
                self.ledger.adopt(run.number, self._seed_of)
                self._live.add(run.number)
                self._prune(run.number, f"paused at epoch {run.epochs}: others promised more")
        return True

    def extend(self, trials: int) -> None:
        """Let the ledger hold so many trials in the end."""
        self._policy.budget = Budget(trials)

    def _stage(self) -> Stage:
        seconds = self._clock()
        stage = self._policy.stage(seconds)
        if stage is Stage.OPEN:
            self._open = True
        elif self._open and not self._told:
            self._told = True  # once: an estimate of the time left may open the search again for a moment
            self._listener.on_closing(self.name, self._policy.reason(seconds))
        if not self._warned and (shortage := self._policy.shortage(seconds)):
            self._warned = True
            self._listener.on_shortage(self.name, shortage)
        return stage

    def next(self) -> Assignment | None:
        """The next trial to run, or none."""
        while (assignment := self._next()) is not None:
            self._live.add(assignment.number)
            self._policy.begin(assignment.number, assignment.params)
            trial = self.ledger.trial(assignment.number)
            self._listener.on_start(self.name, trial, assignment.known)
            # A driver may have died between a record and what followed from it.
            ended = self._ended.get(assignment.number)
            if assignment.known >= self._max_epochs or ended is not None:
                self._complete(assignment.number, ended)
            elif assignment.known and self._verdicts.get(assignment.number) is Decision.STOP:
                self._prune(assignment.number, f"stopped by the scheduler at epoch {assignment.known}")
            else:
                return assignment
        return None

    def _next(self) -> Assignment | None:
        """First what an earlier driver left, then what the scheduler promotes, then something new."""
        for number in self._to_resume:
            if self._due.get(number, -math.inf) <= self._now():
                self._to_resume.remove(number)
                return self.ledger.adopt(number, self._seed_of)
        stage = self._stage()
        promoted = self._policy.resume(stage)
        if promoted is not None:
            return self.ledger.adopt(promoted, self._seed_of)
        if stage is not Stage.OPEN:
            return None
        if self.ledger.waiting:
            return self.ledger.ask(self._seed_of)
        return self.ledger.ask(self._seed_of, self._policy.propose(self.ledger.size))

    def on_record(self, number: int, record: EpochRecord) -> Decision:
        """Write a record and judge it. One that the ledger already has is passed over."""
        if number not in self._live:
            return Decision.STOP
        time_ms = self.ledger.record(number, record)
        decision = Decision.CONTINUE
        if time_ms is not None:
            self._causes.ran(number)
            self._listener.on_record(self.name, number, record, time_ms)
            # A trial's last record is judged too: it counts at its rung, as it does when a driver takes over.
            decision = self._judge(number, record, self._clock())
        if record.epoch >= self._max_epochs or record.ended:
            self._complete(number, record)
            return Decision.STOP
        if decision is Decision.STOP:
            self._prune(number, f"stopped by the scheduler at epoch {record.epoch}")
        elif decision is Decision.PAUSE:
            self.ledger.pause(number)
            self._live.discard(number)
            self._listener.on_pause(self.name, number)
        return decision

    def on_failure(
        self,
        number: int,
        reason: str,
        *,
        diverged: bool = False,
        again: bool = False,
        lost: Mapping[str, float] | None = None,
        cause: Diagnosis | None = None,
    ) -> None:
        """A trial broke: by its recipe (`diverged`), by its code, or with its worker.

        Args:
            number: Which trial.
            reason: Why.
            diverged: Whether its recipe is at fault.
            again: Whether it may go well another time: it goes on from its checkpoint, but not for ever.
            lost: What its seconds went into after its last record, where that is known.
            cause: Why it diverged, where that is known.

        Raises:
            StudyError: Most trials fail, and for one cause that is not their recipe.
        """
        if number not in self._live:
            return
        if again:
            faults = self.ledger.break_off(number, reason, lost)
            if tried_again(faults):
                self.ledger.release(number)
                self._live.discard(number)
                self._due[number] = self._now() + wait(faults)
                self._to_resume.append(number)
                self._listener.on_fault(self.name, number, reason)
                return
            reason, lost = in_words(reason, faults), None
        self._end(number, self.ledger.fail(number, reason, diverged=diverged, lost=lost, cause=cause))
        verdict = None if diverged else self._causes.failed(number, reason)
        if verdict is not None:
            raise StudyError(f"{verdict}; mend that, and the same command goes on")

    def _prune(self, number: int, reason: str) -> None:
        self._end(number, self.ledger.finish(number, TrialState.PRUNED, reason))

    def _complete(self, number: int, last: EpochRecord | None = None) -> None:
        """The trial went as far as its recipe goes: to its full budget, or to where it ends by itself."""
        self._end(number, self.ledger.finish(number, TrialState.COMPLETE, own_end(last)))

    def _end(self, number: int, trial: FrozenTrial) -> None:
        self.ended += 1
        self._live.discard(number)
        self._causes.ran(number)
        self._policy.end(number, STATUS[trial.state], diverged=DIVERGED in trial.user_attrs)
        self._listener.on_end(self.name, trial)


def _ended_at(trial: FrozenTrial) -> float:
    """When a trial ended, milliseconds since 1970."""
    return trial.datetime_complete.timestamp() * 1000 if trial.datetime_complete else math.inf


def own_end(last: EpochRecord | None) -> str:
    """Why a COMPLETE trial has fewer epochs than the budget; empty for one that has them all."""
    return f"ended by its own rule at epoch {last.epoch}: {last.ended}" if last and last.ended else ""
