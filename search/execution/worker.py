"""The actor that trains: one process for many trials, data and weights shared without a copy."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ray.tune

from search.execution.clock import Clock
from search.execution.names import BEST, LAST
from search.execution.thread import Thread
from spaces.locate import locate
from trainables import checkpoint
from trainables.config import Fixed
from trainables.folded import Folded
from trainables.protocol import SECONDS, Diverged, EpochRecord, Trainable


@dataclass(frozen=True)
class Shared:
    """What all trials have in common; Ray's object store holds it once a node.

    Args:
        factory: ``package.module:attribute`` of the function that makes a trainable from
            ``(params, fixed, seed, material)``.
        fixed: The study's constants, every ``auto`` decided.
        material: What the factory builds from; for the project's own core a `Material`.
        threads: Torch threads of one trial.
    """

    factory: str
    fixed: Fixed
    material: Any
    threads: int

    @property
    def folds(self) -> int:
        """How many folds a trial trains, one after the other; 0 where it has but its one training."""
        return len(getattr(self.material, "folds", ()))


class _Unsaved(Exception):
    """A checkpoint could not be written."""


class Worker(ray.tune.Trainable):
    """Runs the trials that Ray gives it, one after the other, an epoch a step.

    A thread of its own trains. It begins with the next epoch before the driver has looked at the last one, but for
    those after which a trial may be told to pause or to stop: so as a rule no core waits for the driver.

    Checkpoints are the project's own, keyed by the trial's number: whoever is given the trial next
    (this actor, another one after a crash, another driver after a restart) goes on from there. A
    record is in the checkpoint before it is reported, so no epoch is ever trained twice.
    """

    def setup(self, config: dict[str, Any], shared: Shared | None = None) -> None:
        """Ray's call at the start of a process."""
        assert shared is not None
        self._shared = shared
        self._clock = Clock()
        self._make = locate(shared.factory)
        self._clock.lap("start")
        self._thread = Thread("training", partial(_use_threads, shared.threads))
        self._ahead: Future[dict[str, Any]] | None = None
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Ray's call when this process is given its next trial."""
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        if self._ahead is not None:  # what nobody waits for any more, but it still has the networks' memory
            wait([self._ahead])
        self._folder = Path(config["folder"])
        self._known = int(config["known"])
        self._owner = f"{config['study']}/{config['phase']}/{config['number']}"
        self._waits = frozenset(config["waits"])
        self._history: list[dict[str, Any]] = []
        self._records = self._run(config)
        self._ahead = self._thread.run(self._next)

    def _run(self, config: dict[str, Any]) -> Iterator[EpochRecord]:
        shared = self._shared
        make = partial(Folded, self._make) if shared.folds else self._make
        trainable: Trainable = make(config["params"], shared.fixed, config["seed"], shared.material)
        saved = checkpoint.load(self._folder / LAST)
        if saved is not None and saved.get("owner") == self._owner:  # else another study's, of the same name
            trainable.load_state_dict(saved["state"])
            self._history = list(saved["records"])
        self._clock.lap("start")
        yield from map(_of_another_time, tuple(self._history))
        for record in trainable.epochs():
            self._clock.lap("other", known=record.metrics)
            self._history.append(record.to_dict())
            self._save(trainable, final=self._is_last(record))
            self._clock.lap("checkpoint")
            yield record

    def _is_last(self, record: EpochRecord) -> bool:
        return record.epoch >= self._shared.fixed.epochs * max(1, self._shared.folds) or bool(record.ended)

    def _save(self, trainable: Trainable, *, final: bool) -> None:
        try:
            self._write(trainable, final=final)
        except OSError as error:  # a full disk is no fault of the trial's
            raise _Unsaved(error.strerror or str(error)) from error

    def _write(self, trainable: Trainable, *, final: bool) -> None:
        state = trainable.state_dict()
        if final and "best" in state:  # what a winner is evaluated and exported from
            checkpoint.save(self._folder / BEST, state["best"])
        whole = {"owner": self._owner, "state": state, "records": self._history}
        checkpoint.save(self._folder / LAST, whole)

    def step(self) -> dict[str, Any]:
        """The next record that the ledger does not have, or why there is none, and what the time went into."""
        told = (self._ahead or self._thread.run(self._next)).result()
        goes_on = "record" in told and not told.pop("waits")
        self._ahead = self._thread.run(self._next) if goes_on else None
        return told

    def _next(self) -> dict[str, Any]:
        self._clock.lap("driver")
        told = self._train()
        if "record" not in told:
            self._clock.lap("lost")
        return {**told, "seconds": json.dumps(self._clock.take())}

    def _train(self) -> dict[str, Any]:
        try:
            for record in self._records:
                if record.epoch > self._known:
                    waits = record.epoch in self._waits or self._is_last(record)
                    return {"record": record.to_json(), "waits": waits}
            return {"failure": "the trainable ended before its full budget", "diverged": False}
        except _Unsaved as error:
            return {"fault": f"checkpoints cannot be written to {self._folder}: {error}"}
        except Diverged as error:
            return {"failure": str(error), "diverged": True}
        except Exception as error:  # a trial's fault is a state of the trial, never of the study
            place = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
            return {"failure": text, "diverged": False, "traceback": traceback.format_exc()}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: Ray never asks, and its checkpoints are not used."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing, likewise."""

    def cleanup(self) -> None:
        """Nothing: the process ends, and an epoch that it is in the middle of with it."""


def _of_another_time(record: dict[str, Any]) -> EpochRecord:
    """A record of the checkpoint, without the seconds that were spent before this process began."""
    metrics = {name: value for name, value in record["metrics"].items() if not name.startswith(SECONDS)}
    return EpochRecord.from_dict({**record, "metrics": metrics})


def _use_threads(threads: int) -> None:
    """Before a thread trains: how many more it may use for one operation is each thread's own setting."""
    import torch

    torch.set_num_threads(threads)
