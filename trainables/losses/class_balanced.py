"""Class-balanced cross-entropy: an image of a rare class counts more."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from trainables.losses.loss import Criterion, smoothed
from trainables.parts import Part


class ClassBalanced(Part):
    """Cross-entropy weighted by the inverse of each class's effective number of images.

    Args:
        beta: 0 weighs all classes alike; towards 1 the weights approach one over the number of images.

    Source: Cui et al., CVPR 2019 (arXiv:1901.05555).
    """

    beta: Annotated[float, Field(ge=0, lt=1)] = 0.999

    def make(self, class_counts: Tensor, label_smoothing: float) -> Criterion:
        """The loss with the weights of `class_counts`."""
        weights = self.weights(class_counts)

        def loss(logits: Tensor, targets: Tensor) -> Tensor:
            # The mean is over images, not over weights: parts of a batch then add up to the batch.
            wanted = smoothed(targets, label_smoothing)
            return functional.cross_entropy(logits, wanted, weight=weights)

        return loss

    def weights(self, class_counts: Tensor) -> Tensor:
        """A weight a class, [C]: ``(1 − β) / (1 − β^n)``, scaled so that the mean over images is 1.

        A class without images gets the weight of one with a single image; no image ever asks for it.
        """
        counts = class_counts.double().clamp(min=1)
        raw = (1.0 - self.beta) / (1.0 - self.beta**counts)
        mean = (raw * class_counts).sum() / class_counts.sum().clamp(min=1)
        weights: Tensor = (raw / mean).to(torch.float32)
        return weights
