"""What a trial is: a generator of epoch records whose state can be saved and loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from trainables.diagnosis.diagnosis import Diagnosis

State = dict[str, Any]

SECONDS = "seconds/"
"""Prefix of the metrics that say what an epoch's time went into: ``seconds/arithmetic``, ``seconds/data``, …"""


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch showed.

    Args:
        epoch: The epoch's number, counted from 1.
        score: What the study maximises; higher is better, always finite.
        metrics: Further figures under the names of the contract (``val/loss``, ``lr``, …).
        ended: Why the recipe itself ends its training here, before the full budget (its patience is
            spent); empty while it goes on, and at the full budget.
        report: With a training's last record: what its best weights are worth in detail, as plain data
            (see `trainables.report`).
    """

    epoch: int
    score: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    ended: str = ""
    report: Mapping[str, Any] = field(default_factory=dict)

    def spent(self, seconds: Mapping[str, float]) -> EpochRecord:
        """The same record with what was spent around the epoch added to its ``seconds/…``."""
        told = {
            f"{SECONDS}{what}": self.metrics.get(f"{SECONDS}{what}", 0.0) + more
            for what, more in seconds.items()
        }
        return replace(self, metrics={**self.metrics, **told})

    def to_dict(self) -> dict[str, Any]:
        """The record as plain data, for a checkpoint or a message between processes."""
        return {
            "epoch": self.epoch,
            "score": float(self.score),  # a user's own trainable may measure with numpy or torch
            "metrics": {name: float(value) for name, value in self.metrics.items()},
            "ended": self.ended,
            "report": dict(self.report),
        }

    def to_json(self) -> str:
        """The record as text: unlike a dictionary, Ray leaves it as it is."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> EpochRecord:
        """The inverse of `to_json`."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EpochRecord:
        """The inverse of `to_dict`."""
        return cls(
            int(data["epoch"]),
            float(data["score"]),
            dict(data["metrics"]),
            str(data.get("ended", "")),
            dict(data.get("report", {})),
        )


class Diverged(ArithmeticError):
    """A loss or a gradient stopped being finite: the recipe, not the program, is at fault.

    Args:
        what: Which figure it was, ``loss`` or ``gradient``.
        epoch: In which epoch, counted from 1.
        step: In which step of that epoch, counted from 1.
        value: The figure itself.
        diagnosis: Why, as far as evidence tells.
    """

    def __init__(
        self, what: str, epoch: int, step: int, value: float, diagnosis: Diagnosis | None = None
    ) -> None:
        super().__init__(what, epoch, step, value, diagnosis)  # the arguments themselves, so that it pickles
        self.what, self.epoch, self.step, self.value = what, epoch, step, value
        self.diagnosis = diagnosis

    def __str__(self) -> str:
        found = f"diverged: {self.what} was {self.value} at epoch {self.epoch}, step {self.step}"
        return found if self.diagnosis is None else f"{found}. {self.diagnosis.says} {self.diagnosis.remedy}"


@runtime_checkable
class Trainable(Protocol):
    """One trial's work: the AMP loop (`trainables.finetuning.FineTuning`), or a user's own job.

    A trainable that is built again from the same parameters and given a saved state must go on
    with the same numbers as if it had never stopped: what was killed is resumed that way.
    """

    def epochs(self) -> Iterator[EpochRecord]:
        """Train, one record an epoch, from where the state stands to the full budget.

        Raises:
            Diverged: A loss or a gradient is not finite.
        """
        ...

    def state_dict(self) -> State:
        """All that a continuation needs: tensors and plain data only, loadable with `weights_only`."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Put back what `state_dict` gave."""
        ...
