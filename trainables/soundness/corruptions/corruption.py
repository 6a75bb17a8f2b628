"""One way to spoil images, and the laws that all of them keep."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SEVERITIES = (1, 2, 3, 4, 5)
"""From hardly worse to hardly there."""

STANDARD_SIDE = 224
"""Pixels of the shorter side that lengths are given for."""

LEAST_SIDE = 32
"""Lengths stop shrinking below this shorter side, pixels: a seventh of a pixel of blur would be no blur."""

LEAST_IMAGE = 8
"""Pixels that each side must have: so many that what lies beyond an edge can be mirrored."""

Apply = Callable[[Tensor, int, torch.Generator], Tensor]
"""(images [B, C, H, W] float32 in [0, 1], severity, generator) → images of that shape, of any values."""


@dataclass(frozen=True)
class Corruption:
    """One corruption.

    Args:
        family: ``noise``, ``blur``, ``weather`` or ``digital``.
        apply: What it does; what it returns is cut to [0, 1].
        colour: Whether it changes nothing but colours: an image without any, of one channel or grey, stays as
            it is.
    """

    family: str
    apply: Apply
    colour: bool = False

    def __call__(self, images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
        """Spoil a batch; the images given are not written to.

        Args:
            images: [B, C, H, W], float in [0, 1]; one or three channels, sides of at least 8 pixels.
            severity: In `SEVERITIES`.
            generator: Torch's, on the processor: an image is spoilt alike on every device. Where a
                severity draws as much as another, the draws are the same, only their effect is larger.

        Returns:
            Of the same shape and type, in [0, 1].

        Raises:
            ValueError: Anything is not as `Args` has it.
        """
        _check(images)
        if severity not in SEVERITIES:
            raise ValueError(f"the severity must be one of {SEVERITIES}, but got {severity}")
        return self.apply(images.float(), severity, generator).clamp(0, 1).to(images.dtype)


def scale_of(images: Tensor) -> float:
    """By how much a length that is given for `STANDARD_SIDE` is shorter in these images, from their shorter side.

    Args:
        images: [B, C, H, W].
    """
    return max(min(images.shape[2:]), LEAST_SIDE) / STANDARD_SIDE


def rung(images: Tensor, ladders: tuple[tuple[float, ...], tuple[float, ...]], severity: int) -> float:
    """The strength of a severity, of what does more harm to small images but has no length that could scale.

    Between `LEAST_SIDE` and `STANDARD_SIDE` it goes from one ladder to the other as the logarithm of the shorter
    side does, by equal factors; smaller and larger images have the strength of the nearer end.

    Args:
        images: [B, C, H, W].
        ladders: Strengths by severity, above 0: for a shorter side of `LEAST_SIDE`, then for `STANDARD_SIDE`.
        severity: In `SEVERITIES`.
    """
    small, standard = (ladder[severity - 1] for ladder in ladders)
    share = math.log(scale_of(images)) / math.log(LEAST_SIDE / STANDARD_SIDE)
    return float(standard * (small / standard) ** max(0.0, share))


def _check(images: Tensor) -> None:
    if (
        images.dim() != 4
        or not images.is_floating_point()
        or images.shape[1] not in (1, 3)
        or min(images.shape[2:]) < LEAST_IMAGE
        or not len(images)
    ):
        raise ValueError(
            "images must be floats [B, 1 or 3, H, W] with sides of at least "
            f"{LEAST_IMAGE} pixels and B above 0, but got {list(images.shape)} of {images.dtype}"
        )
    if not bool(((images >= 0) & (images <= 1)).all()):
        least, most = images.aminmax()
        raise ValueError(f"images must be in [0, 1], but got values from {float(least)} to {float(most)}")
