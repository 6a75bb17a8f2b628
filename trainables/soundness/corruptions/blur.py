"""Blur: a lens, a shaking hand, an approach, a frosted pane.

After Hendrycks and Dietterich (ICLR 2019, arXiv:1903.12261). Lengths are those that they published for 224 pixels;
here they scale with the shorter side, down to that of 32 pixels (see `corruption.scale_of`), and may be any fraction of
a pixel. Otherwise, where this differs:

- ``defocus_blur``: the disc's edge is soft by half a pixel at any size, in place of a hard disc that is then blurred
  a little.
- ``motion_blur``: by a kernel laid down in fractions of a pixel, in place of ImageMagick's.
- ``glass_blur``: each pixel looks its value up at a random place nearby, once and bilinearly, in place of several
  rounds in which neighbouring pixels change places. The reach is that of their rounds together (their reach times the
  root of their number, rounded, and rising with severity).
- ``zoom_blur``: about the exact middle, by fractions of a pixel; the zooms are as many as theirs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from trainables.augmentation.geometry import warp
from trainables.soundness.corruptions.corruption import Corruption, scale_of
from trainables.soundness.corruptions.kernels import convolved, disc, displaced, gaussian, streaks

_DEFOCUS = (3.0, 4.0, 6.0, 8.0, 10.0)
"""Radius, pixels of 224."""
_MOTION = ((10.0, 3.0), (15.0, 5.0), (15.0, 8.0), (15.0, 12.0), (20.0, 15.0))
"""Length of the path and standard deviation along it, pixels of 224."""
_SWAY = math.pi / 4
"""Most that a path leans from the horizontal."""
_ZOOM = ((1.1, 0.01), (1.15, 0.01), (1.2, 0.02), (1.25, 0.02), (1.3, 0.03))
"""Largest zoom, and the step to it from 1."""
_GLASS = ((0.7, 1.5), (0.9, 2.0), (1.0, 3.5), (1.1, 4.5), (1.5, 6.0))
"""Standard deviation of the blur before and after, and reach of the look-up either way, pixels of 224."""


def _defocus_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """A disc."""
    return convolved(images, disc(_DEFOCUS[severity - 1] * scale_of(images)).to(images.device))


def _motion_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Along a line of each image's own direction, within an eighth of a turn of the horizontal."""
    length, sigma = (scale_of(images) * pixels for pixels in _MOTION[severity - 1])
    angles = _SWAY * (2 * torch.rand(len(images), generator=generator) - 1)
    return convolved(images, streaks(angles, length, sigma).to(images.device))


def _zoom_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """The mean of the image and of itself at growing zooms about its middle."""
    most, step = _ZOOM[severity - 1]
    zooms = [1 + step * index for index in range(round((most - 1) / step) + 1)]
    total = images.clone()
    for zoom in zooms:
        total += warp(images, (torch.eye(2, 3) / zoom).expand(len(images), 2, 3))
    return total / (len(zooms) + 1)


def _glass_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Blurred, each pixel looked up nearby, blurred again."""
    sigma, reach = (scale_of(images) * pixels for pixels in _GLASS[severity - 1])
    kernel = gaussian(sigma).to(images.device)
    drawn = 2 * torch.rand(2, len(images), *images.shape[2:], generator=generator) - 1
    right, down = (reach * drawn).to(images.device)
    return convolved(displaced(convolved(images, kernel), right, down), kernel)


BLUR = {
    "defocus_blur": Corruption("blur", _defocus_blur),
    "glass_blur": Corruption("blur", _glass_blur),
    "motion_blur": Corruption("blur", _motion_blur),
    "zoom_blur": Corruption("blur", _zoom_blur),
}
