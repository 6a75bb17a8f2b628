"""Mixup and CutMix: images and their targets, mixed by the same weights."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from trainables.augmentation.policy import Chance
from trainables.parts import Part

Alpha = Annotated[float, Field(ge=0, le=100)]
"""Both parameters of the Beta distribution of an image's own weight; 0 mixes nothing."""


class NoMixing(Part):
    """Images stay by themselves."""

    def __call__(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Both as they are."""
        return images, targets


class Mixup(Part):
    """Each image is faded into another one.

    Args:
        alpha: Of Beta(α, α): small values leave most images nearly as they are.
        probability: That an image is mixed at all.

    Source: Zhang et al., ICLR 2018 (arXiv:1710.09412), with a weight of its own for each image.
    """

    alpha: Alpha = 0.2
    probability: Chance = 1.0

    def __call__(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """``λ x + (1 − λ) x'`` and the same of the targets."""
        weights = _weights(self.alpha, self.probability, len(images))
        partner = torch.randperm(len(images))
        return _faded(images, weights, partner), _mixed(targets, weights, partner)


class CutMix(Part):
    """A rectangle of each image is replaced by what another one has there.

    Args:
        alpha: Of Beta(α, α), from which the share of the image that stays is drawn.
        probability: That an image is mixed at all.

    Source: Yun et al., ICCV 2019 (arXiv:1905.04899), with a rectangle of its own for each image.
    """

    alpha: Alpha = 1.0
    probability: Chance = 1.0

    def __call__(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Paste, and weigh the targets by the area that was really pasted."""
        weights = _weights(self.alpha, self.probability, len(images))
        partner = torch.randperm(len(images))
        pasted, weights = _pasted(images, weights, partner)
        return pasted, _mixed(targets, weights, partner)


class MixupOrCutMix(Part):
    """Each image by one or the other, by the toss of a coin.

    Args:
        mixup_alpha: As in `Mixup`.
        cutmix_alpha: As in `CutMix`.
        probability: That an image is mixed at all.

    Source: timm's `Mixup`, which tosses the coin.
    """

    mixup_alpha: Alpha = 0.2
    cutmix_alpha: Alpha = 1.0
    probability: Chance = 1.0

    def __call__(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """A weight of 1 in the one leaves the image to the other."""
        count = len(images)
        partner = torch.randperm(count)
        cut = torch.rand(count) < 0.5
        fading = _weights(self.mixup_alpha, self.probability, count).masked_fill(cut, 1.0)
        cutting = _weights(self.cutmix_alpha, self.probability, count).masked_fill(~cut, 1.0)
        pasted, cutting = _pasted(images, cutting, partner)
        faded = _faded(images, fading, partner)
        chosen = torch.where(cut.to(images.device).view(-1, 1, 1, 1), pasted, faded)
        return chosen, _mixed(targets, torch.where(cut, cutting, fading), partner)


def _weights(alpha: float, probability: float, count: int) -> Tensor:
    """How much of itself each image keeps, [count] in [0, 1]; drawn on the processor."""
    drawn = torch.rand(count) < probability
    if alpha == 0:
        return torch.ones(count)
    kept = torch.distributions.Beta(alpha, alpha).sample((count,))
    return torch.where(drawn, kept, torch.ones(count))


def _mixed(targets: Tensor, weights: Tensor, partner: Tensor) -> Tensor:
    share = weights.to(targets)[:, None]
    return share * targets + (1 - share) * targets[partner.to(targets.device)]


def _faded(images: Tensor, weights: Tensor, partner: Tensor) -> Tensor:
    share = weights.to(images).view(-1, 1, 1, 1)
    return share * images + (1 - share) * images[partner.to(images.device)]


def _pasted(images: Tensor, weights: Tensor, partner: Tensor) -> tuple[Tensor, Tensor]:
    """The images with their rectangles, and what share of each is still its own."""
    height, width = images.shape[2:]
    middle_x, middle_y = torch.rand(2, len(images))
    side = (1 - weights).sqrt()
    left, right = _edges(middle_x, side, width)
    top, bottom = _edges(middle_y, side, height)
    kept = 1 - (right - left) * (bottom - top) / (height * width)
    x = torch.arange(width, device=images.device)
    y = torch.arange(height, device=images.device)
    left, right, top, bottom = (edge.to(images.device)[:, None] for edge in (left, right, top, bottom))
    within = ((x >= left) & (x < right))[:, None, None, :] & ((y >= top) & (y < bottom))[:, None, :, None]
    return torch.where(within, images[partner.to(images.device)], images), kept


def _edges(middle: Tensor, side: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """First pixel of a rectangle and the one after its last, cut at the image's edges."""
    first = ((middle - side / 2) * length).round().clamp(0, length)
    return first, ((middle + side / 2) * length).round().clamp(0, length)
