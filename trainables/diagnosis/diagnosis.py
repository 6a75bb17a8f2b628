"""What is wrong with one training, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Diagnosis:
    """Something that is wrong with a training.

    Args:
        name: Which kind, the same for ever: ``overfitting``; see `trainables.diagnosis.registry.KINDS`.
        says: What was seen, in one sentence with its figures.
        remedy: What to do about it, in one sentence.
        epoch: In which epoch it shows, from 1.
        figures: The same for programs: finite numbers, words, and lists of them.
    """

    name: str
    says: str
    remedy: str
    epoch: int
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain data that JSON can carry."""
        return {
            "name": self.name,
            "says": self.says,
            "remedy": self.remedy,
            "epoch": self.epoch,
            "figures": dict(self.figures),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Diagnosis:
        """The inverse of `to_dict`."""
        return cls(
            str(data["name"]),
            str(data["says"]),
            str(data["remedy"]),
            int(data["epoch"]),
            dict(data.get("figures", {})),
        )
