"""Weather: fog, frost, snow, glaring light.

After Hendrycks and Dietterich (ICLR 2019, arXiv:1903.12261); how layers are laid over an image, and how strongly, is as
they published it, with these differences:

- ``fog``: clouds are interpolated noise, equally smooth at each severity; strengths are evenly spaced.
- ``frost``: they lay photographs of frosted panes over the image, by weights. Here the pane is made by a formula,
  needles of ice that grow denser towards the edges, so that it exists for every size and needs no files; it hides what
  lies behind it as far as it is frozen.
- ``snow``: flakes are peaks of interpolated noise, with sizes, shares and streaks that rise with the severity (theirs
  go up and down), and less light is added; lengths scale as everywhere (see `corruption.scale_of`), a flake being at
  least a pixel.
- ``brightness``: added to the largest channel, the others keeping their ratio to it, which is the value of HSV without
  the way there and back.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from trainables.augmentation.colour import GREY
from trainables.soundness.corruptions.corruption import Corruption, scale_of
from trainables.soundness.corruptions.fields import clouds, needles
from trainables.soundness.corruptions.kernels import convolved, streaks

_FOG = (1.0, 1.5, 2.0, 2.5, 3.0)
"""Strength against the image's brightest value."""
_SMOOTHNESS = 1.7
"""Decay of fog's and haze's clouds."""
_FROST = (0.4, 0.55, 0.7, 0.85, 1.0)
"""How much of what lies behind it a pane hides where it is wholly frozen."""
_LAYERS, _LONG, _THIN, _THINNEST = 4, 24.0, 4.0, 1.5
"""Directions that needles of a pane grow in; their length and width, pixels of 224; pixels of width at least."""
_PATCHES = 4
"""Patches a side that have needles of one direction, or have not."""
_ICE = torch.tensor([0.86, 0.95, 1.0])
"""Colour of ice."""
_SNOW = (
    (0.04, 2.0, 8.0, 3.0, 0.9),
    (0.06, 2.5, 10.0, 4.0, 0.85),
    (0.08, 3.0, 12.0, 6.0, 0.8),
    (0.10, 3.5, 14.0, 8.0, 0.75),
    (0.12, 4.0, 16.0, 10.0, 0.7),
)
"""Share of the air that is snow; a flake's size, its streak's length and standard deviation, pixels of 224; what is
left of the image's own light."""
_BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Added to the value."""


def _fog(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """(x + t f) m / (m + t): clouds f of strength t, with the image's largest value m kept."""
    strength = _FOG[severity - 1]
    layer = clouds(_size(images), _SMOOTHNESS, generator).to(images.device)
    largest = images.amax((1, 2, 3), keepdim=True)
    return (images + strength * layer) * largest / (largest + strength)


def _frost(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """A pane of opacity w p laid over the image: x + w p (ice - x).

    Source: Porter and Duff, SIGGRAPH 1984, for "over".
    """
    ice = _ICE.to(images.device) if images.shape[1] == 3 else torch.ones(1, device=images.device)
    opacity = _FROST[severity - 1] * _pane(images, generator).to(images.device)
    return images + opacity * (ice.view(-1, 1, 1) - images)


def _pane(images: Tensor, generator: torch.Generator) -> Tensor:
    """How far a pane is frozen, [B, 1, H, W] in [0, 1]: needles in patches, over a haze, denser towards the edges."""
    size, scale = _size(images), scale_of(images)
    count, height, width = size
    haze = clouds(size, _SMOOTHNESS, generator)
    patches = functional.interpolate(
        torch.rand(count, _LAYERS, _PATCHES, _PATCHES, generator=generator), (height, width), mode="bilinear"
    )
    crystals = torch.zeros_like(haze)
    for layer in range(_LAYERS):
        ice = needles(size, _LONG * scale, max(_THINNEST, _THIN * scale), generator)
        crystals = torch.maximum(crystals, patches[:, layer : layer + 1] * ice)
    across = torch.linspace(-1, 1, width).abs()
    down = torch.linspace(-1, 1, height).abs()[:, None]
    edge = torch.maximum(across, down) ** 2
    return ((0.3 + 0.7 * edge) * (0.7 * haze + 1.2 * crystals) + 0.2 * edge).clamp(0, 1)


def _snow(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """A whitened image, and two layers of flakes that fall each its own way, drawn out by the fall."""
    share, flake, length, sigma, own = _SNOW[severity - 1]
    scale = scale_of(images)
    weights = GREY if images.shape[1] == 3 else torch.ones(1)
    grey = (images * weights.view(-1, 1, 1).to(images.device)).sum(1, keepdim=True)
    whitened = own * images + (1 - own) * torch.maximum(images, 1.5 * grey + 0.5)
    for _ in range(2):
        angles = math.pi * (0.25 + 0.5 * torch.rand(len(images), generator=generator))
        flakes = _flakes(_size(images), share, max(1.0, flake * scale), generator)
        whitened = whitened + convolved(flakes, streaks(angles, length * scale, sigma * scale)).to(
            images.device
        )
    return whitened


def _flakes(size: tuple[int, int, int], share: float, flake: float, generator: torch.Generator) -> Tensor:
    """Bright spots on nothing, [B, 1, H, W], at least 0: the highest `share` of interpolated noise."""
    images, height, width = size
    nodes = torch.rand(
        images, 1, math.ceil(height / flake) + 1, math.ceil(width / flake) + 1, generator=generator
    )
    spots = ((nodes - (1 - share)) / share).clamp(min=0)
    return functional.interpolate(spots, (height, width), mode="bilinear", align_corners=True)


def _brightness(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """More value: the largest channel grows by as much, and the others with it. Black becomes grey."""
    added = _BRIGHTNESS[severity - 1]
    value = images.amax(1, keepdim=True)
    brighter = (value + added).clamp(max=1)
    return torch.where(value > 0, images * (brighter / value.clamp(min=1e-6)), brighter)


def _size(images: Tensor) -> tuple[int, int, int]:
    return len(images), images.shape[2], images.shape[3]


WEATHER = {
    "snow": Corruption("weather", _snow),
    "frost": Corruption("weather", _frost),
    "fog": Corruption("weather", _fog),
    "brightness": Corruption("weather", _brightness),
}
