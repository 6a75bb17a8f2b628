"""One scalar that scales every augmentation a data set allows."""

from __future__ import annotations

from typing import cast

from kornia import augmentation as kornia
from torch import nn

from trainables.data.dataset import Invariances

TRANSLATION = 0.15
SCALE = 0.25
SHEAR = 12.0
LIGHT = 0.4
ERASING = 0.25


def make_augmentation(strength: float, invariances: Invariances) -> nn.Module:
    """Random changes of a batch [B, C, H, W] of images in [0, 1]; each image gets its own draw.

    At strength 1: rotation up to what the labels bear, shift by 15 % of the side, scale 75–125 %,
    shear up to 12 degrees, brightness and contrast by 40 %, a rectangle erased from every fourth
    image. Everything shrinks in proportion to `strength`, and flips (where they keep the label
    true) are on at any strength above 0.

    Args:
        strength: In [0, 1]; 0 gives the identity.
        invariances: What keeps the data set's labels true.

    Raises:
        ValueError: `strength` is outside [0, 1].

    Source: one magnitude for all operations, after Cubuk et al., RandAugment, 2020 (arXiv:1909.13719).
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"`0 <= strength <= 1` must hold, but got {strength=}")
    if strength == 0:
        return nn.Identity()
    steps: list[nn.Module] = [
        kornia.RandomAffine(
            degrees=invariances.rotation * strength,
            translate=(TRANSLATION * strength, TRANSLATION * strength),
            scale=(1 - SCALE * strength, 1 + SCALE * strength),
            shear=SHEAR * strength,
            p=1.0,
        )
    ]
    if invariances.horizontal_flip:
        steps.append(kornia.RandomHorizontalFlip(p=0.5))
    if invariances.vertical_flip:
        steps.append(kornia.RandomVerticalFlip(p=0.5))
    if invariances.colour:
        light = (1 - LIGHT * strength, 1 + LIGHT * strength)
        steps += [kornia.RandomBrightness(light, p=1.0), kornia.RandomContrast(light, p=1.0)]
    steps.append(kornia.RandomErasing(p=ERASING * strength, scale=(0.02, 0.15)))
    return cast(nn.Module, nn.Sequential(*steps))
