"""What the epochs of a training have measured, by name, as far as they have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

CHANCE = "val/chance"
"""Accuracy on the validation split of who names its commonest class whatever the image."""
RATIO = "train/update_ratio"
"""Length of a step beside that of the weights; with a slash and a group's name, of that group."""
LARGEST = 3.5e38
"""No figure of a training is larger, since float32 ends below: what is, was not measured, and its sums may overflow."""


def known(record: EpochRecord, name: str) -> float | None:
    """A metric of one epoch; none where it was not measured, or is no number that a training can give."""
    value = record.metrics.get(name, math.nan)
    return value if _is_measured(value) else None


def column(records: Sequence[EpochRecord], name: str) -> list[float] | None:
    """A metric's values, one an epoch; none where an epoch has it not, or not as a number that a training can give."""
    values = [record.metrics.get(name, math.nan) for record in records]
    return values if values and all(map(_is_measured, values)) else None


def _is_measured(value: float) -> bool:
    return math.isfinite(value) and abs(value) <= LARGEST


def skill(accuracy: float, chance: float) -> float:
    """How far an accuracy is from chance to perfection: 0 at chance, 1 where nothing is wrong; below 0 worse than it.

    Args:
        accuracy: In [0, 1].
        chance: In [0, 1].
    """
    return (accuracy - chance) / (1 - chance) if chance < 1 else 1.0


def groups(records: Sequence[EpochRecord]) -> list[str]:
    """Names of the groups of weights whose steps were measured."""
    return sorted(
        {
            name.removeprefix(f"{RATIO}/")
            for one in records
            for name in one.metrics
            if name.startswith(f"{RATIO}/")
        }
    )


def percent(share: float) -> str:
    """``12 %``."""
    return f"{100 * share:.0f} %"
