"""AutoAugment: pairs of operations that were learned on another data set."""

from __future__ import annotations

from typing import Literal

import torch
from kornia.augmentation.auto.autoaugment.autoaugment import cifar10_policy, imagenet_policy, svhn_policy
from torch import Tensor

from trainables.augmentation.base_policy import OperationPolicy
from trainables.augmentation.operations import Operation, apply_each

POLICIES = {"imagenet": imagenet_policy, "cifar10": cifar10_policy, "svhn": svhn_policy}
"""As kornia has them: pairs of (operation, probability, magnitude of ten)."""


class AutoAugment(OperationPolicy):
    """One of the policy's 25 pairs for each image; the strength scales the probabilities, 1 is as published.

    What a data set's labels do not bear is left out of its pair.

    Args:
        policy: Learned on which data.

    Source: Cubuk et al., CVPR 2019 (arXiv:1805.09501).
    """

    policy: Literal["imagenet", "cifar10", "svhn"] = "imagenet"

    def draw(self, images: Tensor, known: dict[str, Operation], strength: float) -> Tensor:
        """A pair for each image, and for each half of it whether it is done."""
        pairs = POLICIES[self.policy]
        names = list(known)
        drawn = torch.randint(len(pairs), (len(images),))
        for half in range(2):
            entries = [pair[half] for pair in pairs]
            index = torch.tensor([names.index(name) if name in known else -1 for name, _, _ in entries])
            chance = torch.tensor([float(chance) for _, chance, _ in entries])
            size = torch.tensor([1.0 if size is None else size / 10 for _, _, size in entries])
            done = (torch.rand(len(images)) < strength * chance[drawn]) & (index[drawn] >= 0)
            images = apply_each(images, list(known.values()), index[drawn], size[drawn], done)
        return images
