"""Where the time of a study went: the seconds of its workers, from the driver's start to the answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.ledger import LOST, Ledger, records_of, time_of
from trainables.protocol import SECONDS, EpochRecord

KINDS = {
    "arithmetic": "forward and backward passes and steps of the optimizer",
    "data": "fetching images",
    "augmentation": "changing them, and normalising",
    "validation": "the network on validation images, and its figures",
    "other": "the rest of the epochs",
    "checkpoint": "copying checkpoints, and writing those that training waits for",
    "start": "starting processes, and building networks",
    "driver": "waiting for the driver between epochs and between trials",
    "lost": "epochs that ended in a failure",
    "preparation": "before the first trial: data, weights, Ray",
    "idle": "without a trial: at the end of the search and of its confirmation, and during the test",
}
"""What a worker's second may have gone into → in words. A training of a user's own that does not tell is ``other``."""

SESSIONS = "sessions"
"""The attribute of a study in the ledger that lists its drivers: when each began and ended, and its workers."""


@dataclass(frozen=True)
class Account:
    """The seconds of a study's workers. They add up to the wall-clock times the workers.

    Args:
        total: Wall-clock seconds of all drivers, each times its workers.
        seconds: Kind (see `KINDS`) → worker-seconds.
        saved: Worker-seconds that the epochs would have taken that pruning made unnecessary, at each trial's pace.
        winner: Worker-seconds of the winner, its trainings of the confirmation included; none without a winner.
    """

    total: float
    seconds: Mapping[str, float]
    saved: float
    winner: float | None

    def share(self, kind: str) -> float:
        """Of all worker-seconds, in [0, 1]."""
        return self.seconds.get(kind, 0.0) / self.total if self.total else 0.0

    def metrics(self) -> dict[str, float]:
        """As MLflow shows it on the study's own run, in worker-seconds."""
        found = {f"account/{kind}": seconds for kind, seconds in self.seconds.items()}
        found |= {"account/total": self.total, "account/saved_by_pruning": self.saved}
        return found if self.winner is None else {**found, "account/winner": self.winner}


@contextmanager
def session(ledger: Ledger, workers: int, began: float | None = None) -> Iterator[None]:
    """Write down that a driver is there, and, unless it is killed, until when.

    Args:
        ledger: Of the search.
        workers: Trials at a time.
        began: When the driver began, seconds since 1970; now if not given.
    """
    earlier = sessions_of(ledger)
    now = time.time()
    this: dict[str, Any] = {"began": began or now, "ended": None, "workers": workers}
    # The machine's clock may be set meanwhile: only where it began is read from it.
    ran, since = now - this["began"], time.monotonic()
    ledger.study.set_user_attr(SESSIONS, [*earlier, this])

    def ended() -> list[dict[str, Any]]:
        return [*earlier, {**this, "ended": this["began"] + ran + time.monotonic() - since}]

    try:
        yield
    except BaseException:
        with suppress(
            Exception
        ):  # what went wrong is of more interest; a ledger that is away is not waited for
            ledger.study.set_user_attr(SESSIONS, ended())
        raise
    ledger.note(SESSIONS, ended())


def sessions_of(ledger: Ledger) -> list[dict[str, Any]]:
    """The drivers that a study has had, as `session` wrote them down."""
    return list(ledger.study.user_attrs.get(SESSIONS, []))


def spent(records: Sequence[EpochRecord], trial: FrozenTrial | None = None) -> dict[str, float]:
    """Kind → seconds that a trial took by its records, and what it lost in a failure."""
    found: dict[str, float] = {}
    told = [
        (name.removeprefix(SECONDS), seconds)
        for record in records
        for name, seconds in record.metrics.items()
        if name.startswith(SECONDS)
    ]
    lost = trial.user_attrs.get(LOST, {}) if trial is not None else {}
    for kind, seconds in chain(told, lost.items()):
        found[kind] = found.get(kind, 0.0) + seconds
    return found


def account_of(
    search: Sequence[FrozenTrial],
    others: Sequence[FrozenTrial],
    sessions: Sequence[Mapping[str, Any]],
    budget: int,
    winner: Sequence[FrozenTrial],
) -> Account | None:
    """The account of a study; none where its drivers are not written down, or its trials do not tell.

    Args:
        search: The search's trials.
        others: The trainings of its confirmation, and of changes to the winner.
        sessions: As `session` writes them. One that was killed is taken to have ended with its last record.
        budget: Epochs of a trial.
        winner: The trial that won, and its trainings of the confirmation.
    """
    steps = sorted(
        (time_of(trial, record.epoch) / 1000, sum(spent([record]).values()))
        for trial in (*search, *others)
        for record in records_of(trial)
    )
    if not sessions or not any(seconds for _, seconds in steps):
        return None
    seconds = dict.fromkeys(KINDS, 0.0)
    for trial in (*search, *others):
        for kind, value in spent(records_of(trial), trial).items():
            seconds[kind if kind in KINDS else "other"] += value
    total = 0.0
    for index, one in enumerate(sessions):
        after = sessions[index + 1]["began"] if index + 1 < len(sessions) else float("inf")
        there = [step for step in steps if one["began"] <= step[0] < after]
        ended = one["ended"] or max((moment for moment, _ in there), default=one["began"])
        first = min((moment - took for moment, took in there), default=ended)
        total += one["workers"] * (ended - one["began"])
        seconds["preparation"] += one["workers"] * max(0.0, first - one["began"])
    seconds["idle"] = max(0.0, total - sum(seconds.values()))
    return Account(
        total,
        seconds,
        sum(_saved(trial, budget) for trial in search),
        sum(sum(spent(records_of(trial)).values()) for trial in winner) if winner else None,
    )


def _saved(trial: FrozenTrial, budget: int) -> float:
    """What the epochs would have taken that a pruned trial was spared."""
    records = records_of(trial)
    if trial.state is not TrialState.PRUNED or not records:
        return 0.0
    pace = sum(record.metrics.get("epoch_seconds", 0.0) for record in records) / len(records)
    return pace * max(0, budget - len(records))
