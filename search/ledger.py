"""The one ledger: an Optuna study that knows which trials there are, their params, states and records."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.score import FOLD_EPOCHS, trial_score
from search.searchers.keep_away import DIVERGED
from search.searchers.suggest import distributions_of, optuna_suggest
from search.store import rows
from spaces import Params, SearchSpace
from trainables.protocol import EpochRecord

RECORD = "record:"
"""Prefix of the user attributes that hold a trial's records, one an epoch."""

PAUSES = "pauses"
"""The user attribute that lists the epochs at which a trial gave its worker back."""

LOST = "lost"
"""The user attribute that says what a failed trial's seconds went into after its last record."""

SEED = "seed"
"""The user attribute that holds a trial's seed."""

REPORT = "report"
"""The user attribute that holds what a trial's best weights are worth in detail."""


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
    """

    def __init__(self, study: optuna.Study, space: SearchSpace, fold_epochs: int | None = None) -> None:
        self.study = study
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
        return list(self.study.get_trials(deepcopy=False))

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
        return storage.get_trial(
            storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)
        )

    def enqueue(self, params: Params, **attributes: Any) -> None:
        """Let a coming `ask` return `params`; the trial carries `attributes` from the start."""
        size, waiting = self._count()
        self.study.enqueue_trial(dict(params), user_attrs=attributes)
        self._counted = size + 1, waiting + 1

    def ask(self, seed_of: Callable[[int], int], params: Params | None = None) -> Assignment:
        """A new trial, RUNNING from now on.

        Args:
            seed_of: Trial number → seed, for a trial that was not enqueued with one.
            params: Its recipe; none takes the next one enqueued, or lets the study's sampler draw one.
        """
        size, waiting = self._count()
        if params is None:
            trial = self.study.ask()
            self._counted = size + (not waiting), max(0, waiting - 1)
            return self._open(trial._cached_frozen_trial, seed_of, trial)
        made = rows.begin(
            self.study._storage,
            self.study._study_id,
            params,
            distributions_of(self.space, params),
            {SEED: seed_of(size)} | ({} if self._fold_epochs is None else {FOLD_EPOCHS: self._fold_epochs}),
        )
        self._counted = size + 1, waiting
        return self._open(made, seed_of)

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
        ended = rows.write(self.study._storage, there._trial_id, attributes, scores, state, value)
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

    def best_so_far(self, number: int) -> float:
        """The score of a live trial so far, or minus infinity before its first record."""
        return trial_score(self._live[number].intermediate_values, self._fold_epochs)

    def epochs_done(self, number: int) -> int:
        """How many epochs of a live trial are recorded."""
        return len(self._live[number].intermediate_values)

    def finish(
        self, number: int, state: TrialState, reason: str, attributes: Mapping[str, Any] | None = None
    ) -> FrozenTrial:
        """Tell the final state: COMPLETE with the best score, PRUNED or FAIL with a reason.

        Args:
            number: Which trial.
            state: Its true state.
            reason: Why it was stopped or failed, or ended itself; empty for one that has its full budget.
            attributes: Further user attributes.
        """
        value = self.best_so_far(number) if state is TrialState.COMPLETE else None
        scores = self._live[number].intermediate_values
        if state is TrialState.PRUNED and scores:  # as Optuna has it: its last score
            last = scores[max(scores)]
            value = None if math.isnan(last) else last
        self._write(number, {"reason": reason, **(attributes or {})}, state=state, value=value)
        return self._live.pop(number)

    def fail(
        self, number: int, reason: str, *, diverged: bool, lost: Mapping[str, float] | None = None
    ) -> FrozenTrial:
        """Tell FAIL.

        Args:
            number: Which trial.
            reason: Why.
            diverged: Whether its recipe is at fault: marked, so that the sampler can keep away from it.
            lost: What its seconds went into after its last record.
        """
        attributes = {DIVERGED: True} if diverged else {}
        return self.finish(number, TrialState.FAIL, reason, attributes | ({LOST: dict(lost)} if lost else {}))


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
