"""Where trials are trained, one after the other: an epoch a step, each written down before it is told."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from search.addresses import without_secret
from search.execution.clock import Clock
from search.execution.names import BEST, LAST
from search.execution.passing import broke_device, may_pass
from search.execution.thread import Thread
from search.places import Folder, place_at
from spaces.locate import locate
from trainables.cohort import Cohort
from trainables.config import Fixed
from trainables.folded import Folded
from trainables.packing import pack, size_of
from trainables.protocol import SECONDS, Diverged, EpochRecord, Trainable
from trainables.ranks import ONE, Ranks, Smaller, as_one_of


@dataclass(frozen=True)
class Shared:
    """What all trials have in common; Ray's object store holds it once a node.

    Args:
        factory: ``package.module:attribute`` of the function that makes a trainable from
            ``(params, fixed, seed, material)``.
        fixed: The study's constants, every ``auto`` decided.
        material: What the factory builds from; for the project's own core a `Material`.
        threads: Torch threads of a process.
        processes: Of one trial, each on its part of every batch.
        sharded: Whether each of them holds but a part of every weight.
        reach: From the address of a trial's checkpoints to the place, as it is reached from where the trial is.
        others: Phase → what its trials have in common, where that is something else. Threads, processes, device and
            reach are the same.
    """

    factory: str
    fixed: Fixed
    material: Any
    threads: int
    processes: int = 1
    sharded: bool = False
    reach: Callable[[str], Folder] = place_at
    others: Mapping[str, Shared] = field(default_factory=dict)

    def of(self, phase: str) -> Shared:
        """What the trials of a phase have in common."""
        return self.others.get(phase, self)

    @property
    def folds(self) -> int:
        """How many folds a trial trains, one after the other; 0 where it has but its one training."""
        return len(getattr(self.material, "folds", ()))


MOST_TWICE = 2**28
"""Bytes; a state up to this size is in memory a second time while it is written and the next epoch is trained."""


class _Unsaved(Exception):
    """A checkpoint could not be written."""


@dataclass(frozen=True)
class _Told:
    """What one call to the training thread gives.

    Args:
        what: The record, the failure or the fault, for the driver.
        seconds: What the time went into.
        goes_on: Whether the next epoch is trained at once.
        written: The record's checkpoint, where another thread writes it.
    """

    what: dict[str, Any]
    seconds: str
    goes_on: bool
    written: Future[None] | None


class Seat:
    """Trains what it is given, one trial after the other, an epoch a step. It knows no Ray.

    A thread of its own trains. It begins with the next epoch before the driver has looked at the last one, but for
    those after which a trial may be told to pause or to stop: so as a rule no core waits for the driver, nor for the
    disk, since another thread writes the checkpoint meanwhile.

    Checkpoints are the project's own, keyed by the trial's number: whoever is given the trial next
    (this seat, another one after a crash, another driver after a restart) goes on from there. A
    record is in the checkpoint before it is reported, so no epoch that the driver knows of is ever trained twice.

    Args:
        shared: What all trials have in common.
        asked: When there was a first trial for it, seconds since 1970.
        cohort: Those in the same process that it trains among; none where it has the process to itself.

    Attributes:
        ranks: The processes that train its trials, this one among them.
    """

    ranks: Ranks = ONE

    def __init__(self, shared: Shared, asked: float, cohort: Cohort | None = None) -> None:
        self._shared = shared
        self._clock = Clock(asked)
        member = cohort and cohort.join(torch.device(shared.fixed.device))
        self._turn = member.turn if member else lambda: as_one_of(self.ranks)
        self._clock.lap("start")
        self._thread = Thread("training", partial(_use_threads, shared.threads))
        self._writing = Thread("checkpoints")
        self._written: Future[None] | None = None
        self._ahead: Future[_Told] | None = None
        self._left = False
        self._changing = threading.Lock()

    def leave(self) -> None:
        """Nobody will ask for anything any more: not even one who is waiting for a record now, in another thread."""
        with self._changing:
            self._left = True
        self.rest()

    def rest(self) -> None:
        """Wait until nothing of the last trial is under way any more."""
        if self._ahead is not None:  # what nobody waits for any more, but it still has the networks' memory
            wait([self._ahead])
        if self._written is not None:  # and its file may be another worker's in a moment
            wait([self._written])
        self._ahead = self._written = None
        self._records: Iterator[EpochRecord] = iter(())

    def begin(self, config: dict[str, Any]) -> None:
        """Take the next trial.

        Args:
            config: What `search.execution.adapters.Bridge` says of it.
        """
        self.rest()
        self._mine = self._shared.of(config["phase"])
        self._place = self._shared.reach(config["folder"])
        self._known = int(config["known"])
        self._owner = f"{config['study']}/{config['phase']}/{config['number']}"
        self._waits_after = frozenset(config["waits"])
        self._history: list[dict[str, Any]] = []
        self._records = self._run(config)
        self._ahead = self._thread.run(self._next)

    def _run(self, config: dict[str, Any]) -> Iterator[EpochRecord]:
        shared = self._mine
        factory = locate(shared.factory)
        make = partial(Folded, factory) if shared.folds else factory
        trainable: Trainable = make(config["params"], shared.fixed, config["seed"], shared.material)
        saved = self._place.load(LAST)
        if saved is not None and saved.get("owner") == self._owner:  # else another study's, of the same name
            trainable.load_state_dict(saved["state"])
            self._history = list(saved["records"])
        self._clock.lap("start")
        yield from map(_of_another_time, tuple(self._history))
        for record in trainable.epochs():
            self._clock.lap("other", known=record.metrics)
            self._history.append(record.to_dict())
            self._save(trainable, record)
            self._clock.lap("checkpoint")
            yield record

    def _is_last(self, record: EpochRecord) -> bool:
        return record.epoch >= self._mine.fixed.epochs * max(1, self._mine.folds) or bool(record.ended)

    def _waits(self, record: EpochRecord) -> bool:
        """Whether nothing is trained before the driver has looked at a record."""
        return record.epoch in self._waits_after or self._is_last(record)

    def _save(self, trainable: Trainable, record: EpochRecord) -> None:
        """Write the checkpoint, or let it be written while the next epoch is trained."""
        state = trainable.state_dict()
        if self.ranks.number:  # the first process writes for all
            return
        whole = {"owner": self._owner, "state": state, "records": self._history}
        self._size = size_of(state)
        if self._waits(record) or self._size > MOST_TWICE:
            if self._is_last(record) and "best" in state:  # what a winner is evaluated and exported from
                self._writing.run(partial(_write, self._place, BEST, state["best"])).result()
            self._writing.run(partial(_write, self._place, LAST, whole)).result()
            self._written = None
        else:
            self._written = self._writing.run(partial(_write, self._place, LAST, pack(whole, own=True)))

    def step(self) -> dict[str, Any]:
        """The next record that the ledger does not have, or why there is none, and what the time went into."""
        with self._changing:
            self._ahead = self._ahead or self._thread.run(self._next)
            ahead = self._ahead
        told = ahead.result()
        with self._changing:
            self._ahead = self._thread.run(self._next) if told.goes_on and not self._left else None
        try:
            if told.written is not None:
                told.written.result()
        except _Unsaved as error:
            return {**self._unsaved(error), "seconds": told.seconds}
        return {**told.what, "seconds": told.seconds}

    def _next(self) -> _Told:
        self._clock.lap("driver")
        with self._turn():
            what, waits = self._train()
        if "record" not in what:
            self._clock.lap("lost")
        return _Told(what, json.dumps(self._clock.take()), "record" in what and not waits, self._written)

    def _train(self) -> tuple[dict[str, Any], bool]:
        """What is told, and whether nothing more is trained before the driver has looked at it."""
        if self._left:
            return {"failure": "nobody waits for it", "diverged": False}, True
        try:
            for record in self._records:
                if record.epoch > self._known:
                    return {"record": record.to_json()}, self._waits(record)
            return {"failure": "the trainable ended before its full budget", "diverged": False}, True
        except _Unsaved as error:
            return self._unsaved(error), True
        except Smaller as error:
            return {"failure": str(error), "diverged": False, "again": True, "smaller": error.micro}, True
        except Diverged as error:
            told: dict[str, Any] = {"failure": str(error), "diverged": True}
            if error.diagnosis is not None:  # as text: unlike a dictionary, Ray leaves it as it is
                told["cause"] = json.dumps(error.diagnosis.to_dict())
            return told, True
        except Exception as error:  # a trial's fault is a state of the trial, never of the study
            place = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
            return {
                "failure": text,
                "diverged": False,
                "again": may_pass(error),
                "broken": broke_device(error),
                "traceback": traceback.format_exc(),
            }, True

    def _unsaved(self, error: _Unsaved) -> dict[str, Any]:
        where = without_secret(self._place.address)
        return {"fault": f"checkpoints cannot be written to {where}: {error}", "bytes": self._size}


def _of_another_time(record: dict[str, Any]) -> EpochRecord:
    """A record of the checkpoint, without the seconds that were spent before this process began."""
    metrics = {name: value for name, value in record["metrics"].items() if not name.startswith(SECONDS)}
    return EpochRecord.from_dict({**record, "metrics": metrics})


def _write(place: Folder, name: str, state: Any) -> None:
    try:
        place.save(name, state)
    except OSError as error:  # a full disk is no fault of the trial's
        raise _Unsaved(error.strerror or str(error)) from error


def _use_threads(threads: int) -> None:
    """Before a thread trains: how many more it may use for one operation is each thread's own setting.

    But a thread's first look takes what any of the process asked for last, so that look is had first.
    """
    torch.get_num_threads()
    torch.set_num_threads(threads)
