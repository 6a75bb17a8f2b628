"""The actor that trains: one process for many trials, data and weights shared without a copy."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ray.tune

from search.execution.names import BEST, LAST
from spaces.locate import locate
from trainables import checkpoint
from trainables.config import Fixed
from trainables.folded import Folded
from trainables.protocol import Diverged, EpochRecord, Trainable


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

    Checkpoints are the project's own, keyed by the trial's number: whoever is given the trial next
    (this actor, another one after a crash, another driver after a restart) goes on from there. A
    record is in the checkpoint before it is reported, so no epoch is ever trained twice.
    """

    def setup(self, config: dict[str, Any], shared: Shared | None = None) -> None:
        """Ray's call at the start of a process."""
        import torch

        assert shared is not None
        torch.set_num_threads(shared.threads)
        self._shared = shared
        self._make = locate(shared.factory)
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Ray's call when this process is given its next trial."""
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._folder = Path(config["folder"])
        self._known = int(config["known"])
        self._owner = f"{config['study']}/{config['phase']}/{config['number']}"
        self._history: list[dict[str, Any]] = []
        self._records = self._run(config)

    def _run(self, config: dict[str, Any]) -> Iterator[EpochRecord]:
        shared = self._shared
        make = partial(Folded, self._make) if shared.folds else self._make
        trainable: Trainable = make(config["params"], shared.fixed, config["seed"], shared.material)
        saved = checkpoint.load(self._folder / LAST)
        if saved is not None and saved.get("owner") == self._owner:  # else another study's, of the same name
            trainable.load_state_dict(saved["state"])
            self._history = list(saved["records"])
            yield from (EpochRecord.from_dict(record) for record in self._history)
        for record in trainable.epochs():
            self._history.append(record.to_dict())
            last = record.epoch >= shared.fixed.epochs * max(1, shared.folds) or bool(record.ended)
            self._save(trainable, final=last)
            yield record

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
        """The next record that the ledger does not have, or why there is none."""
        try:
            for record in self._records:
                if record.epoch > self._known:
                    return {"record": record.to_json()}
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
        """End the generator, so that its memory goes."""
        self._records = iter(())
