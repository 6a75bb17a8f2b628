"""Slower when nothing gets better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from trainables.schedules.schedule import SchedulePart


class Plateau(SchedulePart):
    """Times `factor` whenever the best validation score has not improved for more than `patience` epochs.

    Args:
        factor: In (0, 1).
        patience: Epochs without improvement that are borne.
        improvement: What counts as one, at least 0; a score's units.

    Source: as torch's ``ReduceLROnPlateau`` with an absolute threshold.
    """

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.3
    patience: Annotated[int, Field(ge=0)] = 3
    improvement: Annotated[float, Field(ge=0)] = 0.001

    def __call__(self, progress: float) -> float:
        """1: only scores slow it down."""
        return 1.0

    def brake(self, scores: Sequence[float]) -> float:
        """``factor`` to the power of how often patience has run out so far."""
        best, waited, times = -float("inf"), 0, 0
        for score in scores:
            if score > best + self.improvement:
                best, waited = score, 0
            else:
                waited += 1
            if waited > self.patience:
                waited, times = 0, times + 1
        return float(self.factor**times)
