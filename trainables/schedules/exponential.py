"""An even decay."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainables.schedules.schedule import SchedulePart


class Exponential(SchedulePart):
    """From 1 to `end`, by the same factor in equal times.

    Args:
        end: Factor at the end of training, in (0, 1].
    """

    end: Annotated[float, Field(gt=0, le=1)] = 0.01

    def __call__(self, progress: float) -> float:
        """``end ^ progress``."""
        return float(self.end**progress)
