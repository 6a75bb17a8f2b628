"""A staircase."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from trainables.schedules.schedule import SchedulePart


class Step(SchedulePart):
    """Times `factor` after every share `every` of the budget.

    Args:
        every: Length of a stair as a share of the budget, in (0, 1].
        factor: From one stair to the next, in (0, 1].

    Source: He et al., CVPR 2016 (arXiv:1512.03385): a tenth, twice.
    """

    every: Annotated[float, Field(gt=0, le=1)] = 0.4
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1

    def __call__(self, progress: float) -> float:
        """``factor ^ ⌊progress / every⌋``."""
        return float(self.factor ** math.floor(progress / self.every + 1e-9))
