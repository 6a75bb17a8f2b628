"""RandAugment: a few operations an image, at one magnitude."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from trainables.augmentation.base_policy import OperationPolicy
from trainables.augmentation.operations import Operation, apply_each


class RandAugment(OperationPolicy):
    """`operations` operations for each image, one after the other, at the magnitude of the strength.

    Args:
        operations: How many an image.

    Source: Cubuk et al., 2020 (arXiv:1909.13719); its magnitude 9 of 30 is a strength of 0.3.
    """

    operations: Annotated[int, Field(ge=1, le=8)] = 2

    def draw(self, images: Tensor, known: dict[str, Operation], strength: float) -> Tensor:
        """Each operation, doing nothing among them, is as likely as any other, each time anew."""
        magnitudes = torch.full((len(images),), strength)
        for _ in range(self.operations):
            chosen = torch.randint(len(known) + 1, (len(images),))
            images = apply_each(images, list(known.values()), chosen, magnitudes, chosen < len(known))
        return images
