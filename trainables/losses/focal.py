"""Focal loss: easy images count less."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from trainables.losses.loss import Losses, smoothed
from trainables.parts import Part


class Focal(Part):
    """``−Σ t_c (1 − p_c)^γ log p_c`` of each image, over softmax probabilities.

    Args:
        gamma: How much less an easy image counts; 0 is cross-entropy.

    Source: Lin et al., ICCV 2017 (arXiv:1708.02002), for one label an image and soft labels.
    """

    gamma: Annotated[float, Field(ge=0, le=10)] = 2.0

    def make(self, class_counts: Tensor, label_smoothing: float) -> Losses:
        """The loss; the data's balance does not matter to it."""

        def loss(logits: Tensor, targets: Tensor) -> Tensor:
            logs = logits.log_softmax(1)
            # 1 - p is rounded to 0 where p is nearly 1, and then its power has no finite gradient.
            hardness = (-logs.exp() + 1.0).clamp(min=1e-6) ** self.gamma
            return -(smoothed(targets, label_smoothing) * hardness * logs).sum(1)

        return loss
