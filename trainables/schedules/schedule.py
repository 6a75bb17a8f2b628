"""What a schedule is: pure functions of training progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

from pydantic import Field

from trainables.parts import Part

Factor = Annotated[float, Field(ge=0, le=1)]
"""A factor on the peak rate, in [0, 1]."""


class Schedule(Protocol):
    """Factors on a recipe's peak learning rate and on its momentum over the full budget."""

    def __call__(self, progress: float) -> float:
        """Factor on the learning rate, in [0, 1], at `progress` in [0, 1]."""
        ...

    def momentum(self, progress: float) -> float:
        """Factor on the momentum (or β₁), in [0, 1], at `progress` in [0, 1]."""
        ...

    def brake(self, scores: Sequence[float]) -> float:
        """A further factor on the rate, from the validation scores of the epochs so far; higher is better."""
        ...


class SchedulePart(Part):
    """Base of all schedules: the momentum stays and scores change nothing, but where a schedule says so."""

    def momentum(self, progress: float) -> float:
        """1: the momentum stays as it is."""
        return 1.0

    def brake(self, scores: Sequence[float]) -> float:
        """1: what validation says changes nothing."""
        return 1.0
