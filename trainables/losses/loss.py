"""What a loss is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from torch import Tensor

from spaces import InputError

Losses: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(logits [B, C] float32, targets [B, C] that sum to 1 in each row) → the loss of each image, [B]."""

Criterion: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(logits [B, C] float32, targets [B, C] that sum to 1 in each row) → the mean over images, 0-dim."""


class MakesLoss(Protocol):
    """A recipe's choice of a loss, with its options."""

    def make(self, class_counts: Tensor, label_smoothing: float) -> Losses:
        """The loss for a data set.

        Args:
            class_counts: Training images a class, [C], for a loss that shifts by how common a class is. What
                only weighs images by it is a choice of its own (`trainables.class_weights`).
            label_smoothing: Share of the target that is spread evenly over the classes, in [0, 1).
        """
        ...


def weighted_mean(losses: Losses, class_weights: Tensor) -> Criterion:
    """The mean over images of `losses`, in which each counts by the weight of its class.

    An image between classes (see `trainables.augmentation.mixing`) counts by its shares of them. Label
    smoothing changes no weight: it says nothing of how common the class of an image is.

    Args:
        losses: The loss of each image.
        class_weights: [C], float32, on the device of the logits.
    """

    def criterion(logits: Tensor, targets: Tensor) -> Tensor:
        each = losses(logits, targets)
        if each.shape != targets.shape[:1]:
            raise InputError(
                f"a loss must give one value an image, [{len(targets)}], but got {list(each.shape)}"
            )
        # The mean is over images, not over weights: parts of a batch then add up to the batch.
        return (each * (targets * class_weights).sum(1)).mean()

    return criterion


def smoothed(targets: Tensor, smoothing: float) -> Tensor:
    """Targets [B, C] mixed with the uniform distribution (Szegedy et al., CVPR 2016, section 7)."""
    return targets * (1.0 - smoothing) + smoothing / targets.shape[1]
