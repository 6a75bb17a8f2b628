"""How strong the changes are in the course of training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainables.augmentation.policy import Chance
from trainables.parts import Part
from trainables.schedules.cosine import half_cosine

Time = Annotated[float, Field(gt=0, le=1)]
"""A share of the budget."""


class ConstantStrength(Part):
    """The full strength from the first epoch on."""

    def strength(self, peak: float, progress: float) -> float:
        """`peak`."""
        return peak


class LinearStrength(Part):
    """Straight up to the full strength.

    Args:
        start: Share of the full strength in the first epoch.
        reached: Share of the budget after which it is full.

    Source: the order of easy before hard is Bengio et al.'s, ICML 2009.
    """

    start: Chance = 0.0
    reached: Time = 0.5

    def strength(self, peak: float, progress: float) -> float:
        """``peak · (start + (1 − start) · min(1, progress / reached))``."""
        return peak * (self.start + (1.0 - self.start) * min(1.0, progress / self.reached))


class CosineStrength(Part):
    """Up to the full strength along half a cosine.

    Args:
        start: Share of the full strength in the first epoch.
        reached: Share of the budget after which it is full.
    """

    start: Chance = 0.0
    reached: Time = 0.5

    def strength(self, peak: float, progress: float) -> float:
        """``peak · (1 − (1 − start) · (1 + cos(π · min(1, progress / reached))) / 2)``."""
        return peak * (1.0 - (1.0 - self.start) * half_cosine(min(1.0, progress / self.reached)))


class StepStrength(Part):
    """Weak first, then full.

    Args:
        start: Share of the full strength at first.
        at: Share of the budget after which it is full.
    """

    start: Chance = 0.0
    at: Time = 0.3

    def strength(self, peak: float, progress: float) -> float:
        """``peak · start`` before `at`, then `peak`."""
        return peak if progress >= self.at - 1e-9 else peak * self.start
