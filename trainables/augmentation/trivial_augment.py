"""TrivialAugment: one operation an image, at any magnitude."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.augmentation.base_policy import OperationPolicy
from trainables.augmentation.operations import Operation, apply_each


class TrivialAugment(OperationPolicy):
    """One operation for each image, its magnitude uniform up to the strength.

    Source: Müller & Hutter, ICCV 2021 (arXiv:2103.10158).
    """

    def draw(self, images: Tensor, known: dict[str, Operation], strength: float) -> Tensor:
        """Each operation is as likely as doing nothing."""
        chosen = torch.randint(len(known) + 1, (len(images),))
        magnitudes = strength * torch.rand(len(images))
        return apply_each(images, list(known.values()), chosen, magnitudes, chosen < len(known))
