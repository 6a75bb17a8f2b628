"""Rates that rise and fall while the momentum falls and rises."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainables.schedules.cosine import half_cosine
from trainables.schedules.schedule import Factor, SchedulePart


class OneCycle(SchedulePart):
    """Up from `start` to 1 and down to `end`, in half cosines; the momentum goes the other way.

    Args:
        rise: Share of the budget until the peak, in (0, 1).
        start: Factor at the beginning.
        end: Factor at the end.
        dip: Factor on the momentum at the peak of the rate: 0.895 takes 0.95 to 0.85.

    Source: Smith & Topin, 2019 (arXiv:1708.07120).
    """

    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    start: Factor = 0.04
    end: Factor = 0.0
    dip: Factor = 0.895

    def __call__(self, progress: float) -> float:
        """Half a cosine from `start` up to 1 over the share `rise`, another down to `end` over the rest."""
        if progress < self.rise:
            return 1.0 - (1.0 - self.start) * half_cosine(progress / self.rise)
        return self.end + (1.0 - self.end) * half_cosine((progress - self.rise) / (1.0 - self.rise))

    def momentum(self, progress: float) -> float:
        """From 1 down to `dip` where the rate rises, up to 1 where it falls."""
        if progress < self.rise:
            return self.dip + (1.0 - self.dip) * half_cosine(progress / self.rise)
        return 1.0 - (1.0 - self.dip) * half_cosine((progress - self.rise) / (1.0 - self.rise))


class Cyclical(SchedulePart):
    """Straight up from `low` to 1 and down again, `cycles` times; the momentum goes the other way.

    Args:
        cycles: How many.
        low: Factor at the bottom.
        shrink: Height of a cycle over that of the one before it, in (0, 1].
        dip: Factor on the momentum where the rate is 1.

    Source: Smith, WACV 2017 (arXiv:1506.01186), ``triangular`` (and ``triangular2`` with shrink 0.5).
    """

    cycles: Annotated[int, Field(ge=1, le=100)] = 3
    low: Factor = 0.1
    shrink: Annotated[float, Field(gt=0, le=1)] = 1.0
    dip: Factor = 0.895

    def __call__(self, progress: float) -> float:
        """``low + (1 − low) · height``, height being the triangle's."""
        return self.low + (1.0 - self.low) * self._height(progress)

    def momentum(self, progress: float) -> float:
        """``1 − (1 − dip) · height``."""
        return 1.0 - (1.0 - self.dip) * self._height(progress)

    def _height(self, progress: float) -> float:
        """Of the triangle in [0, 1]; 0 at the ends of each cycle."""
        cycle = min(int(progress * self.cycles), self.cycles - 1)
        within = progress * self.cycles - cycle
        return float(self.shrink**cycle * (1.0 - abs(2.0 * within - 1.0)))
