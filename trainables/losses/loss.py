"""What a loss is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from torch import Tensor

Criterion: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(logits [B, C] float32, targets [B, C] that sum to 1 in each row) → the mean over images, 0-dim."""


class MakesLoss(Protocol):
    """A recipe's choice of a loss, with its options."""

    def make(self, class_counts: Tensor, label_smoothing: float) -> Criterion:
        """The loss for a data set.

        Args:
            class_counts: Training images a class, [C].
            label_smoothing: Share of the target that is spread evenly over the classes, in [0, 1).
        """
        ...


def smoothed(targets: Tensor, smoothing: float) -> Tensor:
    """Targets [B, C] mixed with the uniform distribution (Szegedy et al., CVPR 2016, section 7)."""
    return targets * (1.0 - smoothing) + smoothing / targets.shape[1]
