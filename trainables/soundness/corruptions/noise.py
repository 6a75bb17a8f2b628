"""Noise: each value is wrong by itself.

Strengths are those that Hendrycks and Dietterich published with "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations" (ICLR 2019, arXiv:1903.12261): for 224 pixels those of ImageNet-C, for 32 those of
CIFAR-10-C, and for sides between them what lies between (see `corruption.rung`), which they do not have.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.soundness.corruptions.corruption import Corruption, rung

_GAUSSIAN = (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)
"""Standard deviation, in units of the full range; here and below for 32 pixels, then for 224."""
_SHOT = (500.0, 250.0, 100.0, 75.0, 50.0), (60.0, 25.0, 12.0, 5.0, 3.0)
"""Photons that a white pixel counts."""
_IMPULSE = (0.01, 0.02, 0.03, 0.05, 0.07), (0.03, 0.06, 0.09, 0.17, 0.27)
"""Share of the values that are lost."""
_SPECKLE = (0.06, 0.10, 0.12, 0.16, 0.20), (0.15, 0.20, 0.35, 0.45, 0.60)
"""Standard deviation, as a share of the value."""


def _gaussian_noise(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """As of a sensor in the dark: x + σ n."""
    return images + rung(images, _GAUSSIAN, severity) * _normal(images, generator)


def _shot_noise(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Light is counted, and little light is counted badly: Poisson(λ x) / λ."""
    photons = rung(images, _SHOT, severity)
    return torch.poisson(images.cpu() * photons, generator=generator).to(images.device) / photons


def _impulse_noise(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Salt and pepper: a share of the values, each channel's by itself, is 0 or 1, either as often."""
    drawn = torch.rand(images.shape, generator=generator).to(images.device)
    share = rung(images, _IMPULSE, severity)
    return images.masked_fill(drawn < share, 1.0).masked_fill(drawn < share / 2, 0.0)


def _speckle_noise(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Noise that grows with the light: x + σ x n."""
    return images + rung(images, _SPECKLE, severity) * images * _normal(images, generator)


def _normal(images: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(images.shape, generator=generator).to(images.device)


NOISE = {
    "gaussian_noise": Corruption("noise", _gaussian_noise),
    "shot_noise": Corruption("noise", _shot_noise),
    "impulse_noise": Corruption("noise", _impulse_noise),
    "speckle_noise": Corruption("noise", _speckle_noise),
}
