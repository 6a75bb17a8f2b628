"""Changes that only some images get: blur, noise, erased rectangles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

AREA = (0.02, 0.15)
"""Least and largest share of an image that is erased."""
TAPS = 2
"""Pixels to either side that a blur looks at."""
RATIO = 3.3
"""Most that the sides of what is erased differ, as in the paper."""


def _drawn(images: Tensor, chance: float) -> tuple[Tensor, Tensor]:
    """Which images are drawn, on their device, and how far each of those is changed, in [0, 1], on the processor."""
    drawn, extent = torch.rand(2, len(images))
    rows = (drawn < chance).nonzero().flatten()
    return rows.to(images.device), extent[rows]


@dataclass(frozen=True)
class Blur:
    """A Gaussian blur of some images.

    Args:
        chance: In [0, 1].
        sigma: Largest standard deviation, pixels.
    """

    chance: float
    sigma: float

    def __call__(self, images: Tensor) -> Tensor:
        """Blur in place those that are drawn."""
        place, extent = _drawn(images, self.chance)
        if len(place):
            images[place] = blurred(images[place], 0.1 + (self.sigma - 0.1) * extent)
        return images


def blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """A Gaussian blur over five pixels, each image by a width of its own; edges are mirrored.

    Kornia's `gaussian_blur2d` gives the same (a test compares) and takes three times as long for a few small
    images, as long as the rest of a batch's augmentation.

    Args:
        images: [n, C, H, W], at least 3 pixels high and wide.
        sigma: Standard deviations [n], pixels, above 0.
    """
    offsets = torch.arange(-TAPS, TAPS + 1)
    weights = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    weights = (weights / weights.sum(1, keepdim=True)).to(images)[:, :, None, None, None]
    for side in (2, 3):
        length = images.shape[side]
        edge = (TAPS, TAPS, 0, 0) if side == 3 else (0, 0, TAPS, TAPS)
        padded = functional.pad(images, edge, mode="reflect")
        images = torch.zeros_like(images)
        for tap in range(len(offsets)):
            images.addcmul_(weights[:, tap], padded.narrow(side, tap, length))
    return images


@dataclass(frozen=True)
class Noise:
    """Gaussian noise on some images.

    Args:
        chance: In [0, 1].
        sigma: Largest standard deviation, in units of the full range.
    """

    chance: float
    sigma: float

    def __call__(self, images: Tensor) -> Tensor:
        """Add noise in place to those that are drawn."""
        place, extent = _drawn(images, self.chance)
        if len(place):
            noise = torch.randn(len(place), *images.shape[1:])
            noise *= (self.sigma * extent).view(-1, 1, 1, 1)
            images[place] = (images[place] + noise.to(images.device)).clamp_(0, 1)
        return images


@dataclass(frozen=True)
class Erasing:
    """A rectangle of some images goes black.

    Args:
        chance: In [0, 1].

    Source: Zhong et al., AAAI 2020 (arXiv:1708.04896).
    """

    chance: float

    def __call__(self, images: Tensor) -> Tensor:
        """Erase in place in those that are drawn."""
        height, width = images.shape[2:]
        drawn, area, ratio, left, top = torch.rand(5, len(images))
        for row in (drawn < self.chance).nonzero().flatten().tolist():
            share = AREA[0] + (AREA[1] - AREA[0]) * float(area[row])
            stretch = math.exp((2 * float(ratio[row]) - 1) * math.log(RATIO) / 2)
            wide = min(width, max(1, round(math.sqrt(share) * stretch * width)))
            high = min(height, max(1, round(math.sqrt(share) / stretch * height)))
            x, y = int(float(left[row]) * (width - wide + 1)), int(float(top[row]) * (height - high + 1))
            images[row, :, y : y + high, x : x + wide] = 0
        return images
