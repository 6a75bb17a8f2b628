"""Random fields in [0, 1] that look like clouds and like needles of ice: what weather is painted with."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_NODES = 64
"""Nodes a side of the noise that needles are cut from."""


def clouds(size: tuple[int, int, int], decay: float, generator: torch.Generator) -> Tensor:
    """Noise of all scales from the whole picture down to a pixel, [B, 1, H, W], from 0 to 1 in each image.

    The sum over o = 1, 2, … of noise on (2^o + 1)² nodes, interpolated, and 1 / decay^o as strong: what midpoint
    displacement (Fournier et al., Communications of the ACM 1982) makes, without its order.

    Args:
        size: (B, H, W).
        decay: Above 1; the larger, the smoother.
        generator: On the processor.
    """
    images, height, width = size
    side = max(height, width)
    total = torch.zeros(images, 1, side, side)
    for octave in range(1, math.ceil(math.log2(side)) + 1):
        nodes = torch.randn(images, 1, 2**octave + 1, 2**octave + 1, generator=generator)
        total += (
            functional.interpolate(nodes, (side, side), mode="bicubic", align_corners=True) / decay**octave
        )
    total = total[..., :height, :width]
    least, most = total.amin((1, 2, 3), keepdim=True), total.amax((1, 2, 3), keepdim=True)
    return (total - least) / (most - least)


def needles(size: tuple[int, int, int], long: float, thin: float, generator: torch.Generator) -> Tensor:
    """Straight bright lines on dark, all of an image about one direction, [B, 1, H, W] in [0, 1].

    Smooth noise, stretched along the direction; a line is where it passes through the middle of its range, so
    that lines branch and end.

    Args:
        size: (B, H, W).
        long: Pixels from one node of the noise to the next along a needle.
        thin: The same across it.
        generator: On the processor.
    """
    images, height, width = size
    angles = math.pi * torch.rand(images, generator=generator)
    noise = torch.rand(images, 1, _NODES, _NODES, generator=generator)
    cos, sin = angles.cos().view(-1, 1, 1), angles.sin().view(-1, 1, 1)
    x, y = torch.arange(width) - width / 2, (torch.arange(height) - height / 2)[:, None]
    places = torch.stack([(cos * x + sin * y) / long, (cos * y - sin * x) / thin], dim=-1)
    field = functional.grid_sample(
        noise, places * (2 / _NODES), mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return (1 - (2 * field - 1).abs()).clamp(0, 1) ** 4
