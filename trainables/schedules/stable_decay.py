"""Flat, then down at the end: the warm-up–stable–decay shape."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from trainables.schedules.schedule import SchedulePart


class StableDecay(SchedulePart):
    """1 until the last share `decay` of the budget, then down to 0 as ``1 − √``. Warm-up comes before it.

    Args:
        decay: Length of the decay as a share of the budget, in (0, 1].

    Source: Hägele et al., NeurIPS 2024 (arXiv:2405.18392); Hu et al., MiniCPM, 2024 (arXiv:2404.06395).
    """

    decay: Annotated[float, Field(gt=0, le=1)] = 0.2

    def __call__(self, progress: float) -> float:
        """``1 − √((progress − (1 − decay)) / decay)`` in the decay, else 1."""
        gone = (progress - (1.0 - self.decay)) / self.decay
        return 1.0 - math.sqrt(min(1.0, gone)) if gone > 0 else 1.0
