"""The one ledger: an Optuna study that knows which trials there are, their params, states and records."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.decisions.faults import fault
from search.score import FOLD_EPOCHS, trial_score
from search.searchers.keep_away import DIVERGED
from search.searchers.suggest import distributions_of, optuna_suggest
from search.store import rows
from search.store.patience import Patience
from spaces import Params, SearchSpace
from trainables.diagnosis.diagnosis import Diagnosis
from trainables.diagnosis.registry import diagnosed
from trainables.protocol import EpochRecord

RECORD = "record:"
"""Prefix of the user attributes that hold a trial's records, one an epoch."""

PAUSES = "pauses"
"""The user attribute that lists the epochs at which a trial gave its worker back."""

LOST = "lost"
"""The user attribute that says what a trial's seconds went into that gave no record."""

FAULTS = "faults"
"""The user attribute that lists the times when a trial broke off and was tried again: after which epoch, and why."""

SEED = "seed"
"""The user attribute that holds a trial's seed."""

REPORT = "report"
"""The user attribute that holds what a trial's best weights are worth in detail."""

DIAGNOSIS = "diagnosis"
"""The user attribute that lists what is wrong with a trial that has ended, the worst first; not there where nothing
is."""


@dataclass(frozen=True)
class Assignment:
    """A trial to be run.

    Args:
        number: Its number in the ledger.
        params: Its recipe.
        seed: Its seed.
        known: Epochs whose records the ledger already has.
    """

    number: int
    params: Params
    seed: int
    known: int = 0


def make_study(
    storage: optuna.storages.BaseStorage, name: str, sampler: optuna.samplers.BaseSampler
) -> optuna.Study:
    """The Optuna study called `name`, made where there is none. Scores are maximised."""
    return optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=sampler,
        pruner=optuna.pruners.NopPruner(),
        direction="maximize",
        load_if_exists=True,
    )


class Ledger:
    """Reads and writes one Optuna study. Only the driver has one.

    What is written is on disk when a method returns. A record is its metrics (a user attribute, the
    time included, so that MLflow's points can be written again at the same times) and its score (an
    intermediate value, never written before its metrics: the record exists once that is there).

    Args:
        study: The Optuna study.
        space: The space that its trials are drawn from.
        fold_epochs: Epochs of a fold, where a trial trains several.
        patience: Waits for a storage that is away; none waits for nothing.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        fold_epochs: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.study = study
        self._patience = patience or Patience()
        self.space = space
        self._fold_epochs = fold_epochs
        self._live: dict[int, FrozenTrial] = {}
        self._counted: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The study's name."""
        return str(self.study.study_name)

    def trials(self) -> list[FrozenTrial]:
        """All trials in order of their number."""
        return list(self._patience.of(lambda: self.study.get_trials(deepcopy=False)))

    @property
    def size(self) -> int:
        """How many trials there are."""
        return self._count()[0]

    @property
    def waiting(self) -> int:
        """How many of them are enqueued and not begun."""
        return self._count()[1]

    def _count(self) -> tuple[int, int]:
        """Both. Counted once, since nobody else adds trials: reading them reads every record of all that are paused."""
        if self._counted is None:
            trials = self.trials()
            self._counted = len(trials), sum(trial.state is TrialState.WAITING for trial in trials)
        return self._counted

    def trial(self, number: int) -> FrozenTrial:
        """One trial, as the storage has it now."""
        if number in self._live:  # nobody else writes to it: what was written is known, and need not be read
            known = copy.copy(self._live[number])
            known.user_attrs = dict(known.user_attrs)
            known.intermediate_values = dict(known.intermediate_values)
            return known
        storage = self.study._storage  # the public way reads every trial to give one

        def read() -> FrozenTrial:
            trial_id = storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)
            trial: FrozenTrial = storage.get_trial(trial_id)
            return trial

        return self._patience.of(read)

    def enqueue(self, params: Params, **attributes: Any) -> None:
        """Let a coming `ask` return `params`; the trial carries `attributes` from the start."""
        size, waiting = self._count()

        def there() -> bool | None:
            return len(self.study.get_trials(deepcopy=False)) > size or None

        self._patience.of(
            lambda: self.study.enqueue_trial(dict(params), user_attrs=attributes) is None, there
        )
        self._counted = size + 1, waiting + 1

    def noted(self, name: str, otherwise: Any) -> Any:
        """What was written down of the study, or `otherwise`."""
        return self._patience.of(lambda: self.study.user_attrs).get(name, otherwise)

    def note(self, name: str, value: Any) -> None:
        """Write down something of the study; `value` as JSON has it."""
        self._patience.of(lambda: self.study.set_user_attr(name, value))

    def ask(self, seed_of: Callable[[int], int], params: Params | None = None) -> Assignment:
        """A new trial, RUNNING from now on.

        Args:
            seed_of: Trial number → seed, for a trial that was not enqueued with one.
            params: Its recipe; none takes the next one enqueued, or lets the study's sampler draw one.
        """
        size, waiting = self._count()
        if params is None:
            trial = self._patience.of(self.study.ask, self._asked)
            self._counted = size + (not waiting), max(0, waiting - 1)
            return self._open(trial._cached_frozen_trial, seed_of, trial)
        attributes = {SEED: seed_of(size)}
        if self._fold_epochs is not None:
            attributes[FOLD_EPOCHS] = self._fold_epochs
        distributions = distributions_of(self.space, params)

        def begin() -> FrozenTrial:
            return rows.begin(self.study._storage, self.study._study_id, params, distributions, attributes)

        def begun() -> FrozenTrial | None:
            """It is there already, where the connection was lost just as the trial had been written."""
            trials = self.study.get_trials(deepcopy=False)
            return trials[size] if len(trials) > size else None

        made = self._patience.of(begin, begun)
        self._counted = size + 1, waiting
        return self._open(made, seed_of)

    def _asked(self) -> optuna.Trial | None:
        """The trial that was asked for just as the connection was lost: it runs, and nobody knows of it."""
        for there in self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            unknown = there.number not in self._live and FAULTS not in there.user_attrs
            if unknown and not there.intermediate_values:
                return optuna.Trial(self.study, there._trial_id)
        return None

    def adopt(self, number: int, seed_of: Callable[[int], int]) -> Assignment:
        """A trial that an earlier driver left RUNNING. Params it did not draw any more are drawn now."""
        return self._open(self.trial(number), seed_of)

    def take(self, trial: optuna.Trial, seed_of: Callable[[int], int]) -> Assignment:
        """A trial that somebody else has asked for (`study.optimize`, say), drawn from the space."""
        return self._open(trial._cached_frozen_trial, seed_of, trial)

    def _open(
        self, there: FrozenTrial, seed_of: Callable[[int], int], trial: optuna.Trial | None = None
    ) -> Assignment:
        """Hold a trial that was just read; what it has not drawn yet is asked of `trial`."""
        try:  # of a trial that has them all nothing is to be asked: Optuna would read it anew for each
            params = self.space.draw(optuna_suggest(there))
        except ValueError:
            trial = trial or optuna.Trial(self.study, there._trial_id)
            params = self.space.draw(optuna_suggest(trial))
            there = trial._cached_frozen_trial
        number = there.number
        self._live[number] = there
        wanted: dict[str, Any] = {}
        if there.user_attrs.get(SEED) is None:
            wanted[SEED] = seed_of(number)
        if self._fold_epochs is not None and FOLD_EPOCHS not in there.user_attrs:
            wanted[FOLD_EPOCHS] = self._fold_epochs
        if wanted:
            self._write(number, wanted)
        return Assignment(
            number, params, int(there.user_attrs[SEED]), max(there.intermediate_values, default=0)
        )

    def _write(
        self,
        number: int,
        attributes: Mapping[str, Any],
        scores: Mapping[int, float] | None = None,
        state: TrialState | None = None,
        value: float | None = None,
    ) -> None:
        """Write to a live trial, and to what is known of it."""
        there = self._live[number]
        storage, trial_id = self.study._storage, there._trial_id

        def written() -> tuple[datetime | None] | None:
            """An end is written once: it may be there already."""
            if state is None:
                return None
            found = storage.get_trial(trial_id)
            return (found.datetime_complete,) if found.state is state else None

        (ended,) = self._patience.of(
            lambda: (rows.write(storage, trial_id, attributes, scores, state, value),), written
        )
        there.user_attrs.update(attributes)
        there.intermediate_values.update(scores or {})
        if state is not None:
            there.state, there.datetime_complete = state, ended
            there.values = None if value is None else [value]

    def record(self, number: int, record: EpochRecord) -> int | None:
        """Write one record.

        Returns:
            The time given to it, milliseconds since 1970, or none if the ledger already had it.
        """
        if record.epoch in self._live[number].intermediate_values:
            return None
        now = time.time_ns() // 1_000_000
        kept = {"time": now, "metrics": dict(record.metrics)} | (
            {"ended": record.ended} if record.ended else {}
        )
        report = {REPORT: dict(record.report)} if record.report else {}
        score = float(record.score)  # which may be numpy's
        self._write(number, report | {f"{RECORD}{record.epoch}": kept}, {record.epoch: score})
        return now

    def pause(self, number: int) -> None:
        """Write down that a live trial pauses after the epoch it has come to. It is live again once it is adopted."""
        there = self._live[number]
        self._write(number, {PAUSES: [*there.user_attrs.get(PAUSES, []), max(there.intermediate_values)]})
        del self._live[number]

    def break_off(
        self, number: int, reason: str, lost: Mapping[str, float] | None = None
    ) -> list[dict[str, Any]]:
        """Write down that a live trial broke off.

        Args:
            number: Which trial.
            reason: Why.
            lost: What its seconds went into after its last record.

        Returns:
            All of its faults so far, this one among them.
        """
        there = self._live[number]
        faults = [*there.user_attrs.get(FAULTS, []), fault(max(there.intermediate_values, default=0), reason)]
        self._write(number, {FAULTS: faults, **self._lost(number, lost)})
        return faults

    def _lost(self, number: int, lost: Mapping[str, float] | None) -> dict[str, Any]:
        """The attribute that says what a trial's seconds went into, with those that it lost before."""
        if not lost:
            return {}
        before = self._live[number].user_attrs.get(LOST, {})
        return {LOST: {kind: before.get(kind, 0.0) + lost.get(kind, 0.0) for kind in {**before, **lost}}}

    def release(self, number: int) -> None:
        """A trial that broke off waits. It is live again once it is adopted."""
        del self._live[number]

    def best_so_far(self, number: int) -> float:
        """The score of a live trial so far, or minus infinity before its first record."""
        return trial_score(self._live[number].intermediate_values, self._fold_epochs)

    def epochs_done(self, number: int) -> int:
        """How many epochs of a live trial are recorded."""
        return len(self._live[number].intermediate_values)

    def finish(
        self,
        number: int,
        state: TrialState,
        reason: str,
        attributes: Mapping[str, Any] | None = None,
        cause: Diagnosis | None = None,
    ) -> FrozenTrial:
        """Tell the final state: COMPLETE with the best score, PRUNED or FAIL with a reason; and what is wrong with it.

        Args:
            number: Which trial.
            state: Its true state.
            reason: Why it was stopped or failed, or ended itself; empty for one that has its full budget.
            attributes: Further user attributes.
            cause: Why it diverged, if it did and that is known.
        """
        attributes = dict(attributes or {})
        found = diagnosed(records_of(self._live[number]), DIVERGED in attributes, cause)
        if found:
            attributes[DIAGNOSIS] = [one.to_dict() for one in found]
        value = self.best_so_far(number) if state is TrialState.COMPLETE else None
        scores = self._live[number].intermediate_values
        if state is TrialState.PRUNED and scores:  # as Optuna has it: its last score
            last = scores[max(scores)]
            value = None if math.isnan(last) else last
        self._write(number, {"reason": reason, **attributes}, state=state, value=value)
        return self._live.pop(number)

    def fail(
        self,
        number: int,
        reason: str,
        *,
        diverged: bool,
        lost: Mapping[str, float] | None = None,
        cause: Diagnosis | None = None,
    ) -> FrozenTrial:
        """Tell FAIL.

        Args:
            number: Which trial.
            reason: Why.
            diverged: Whether its recipe is at fault: marked, so that the sampler can keep away from it.
            lost: What its seconds went into after its last record.
            cause: Why it diverged, if that is known.
        """
        attributes = {DIVERGED: True} if diverged else {}
        return self.finish(number, TrialState.FAIL, reason, attributes | self._lost(number, lost), cause)


def records_of(trial: FrozenTrial) -> list[EpochRecord]:
    """The records of a trial, in order of their epochs."""
    return [
        EpochRecord(epoch, score, kept.get("metrics", {}), kept.get("ended", ""))
        for epoch, score in sorted(trial.intermediate_values.items())
        for kept in [trial.user_attrs.get(f"{RECORD}{epoch}", {})]
    ]


def time_of(trial: FrozenTrial, epoch: int) -> int:
    """When a record reached the driver, milliseconds since 1970."""
    return int(trial.user_attrs.get(f"{RECORD}{epoch}", {}).get("time", 0))


def begun(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Those that are more than an intention."""
    return [trial for trial in trials if trial.state is not TrialState.WAITING]


def finished(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The COMPLETE ones, best first."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return sorted(complete, key=lambda trial: (-float(trial.value or 0.0), trial.number))
