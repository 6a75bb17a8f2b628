"""Kernels that blur, and the two ways to move pixels: what several families are made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

EDGE = 0.5
"""Standard deviation of a kernel's soft edge, pixels: a kernel of any radius, also below a pixel, then blurs."""


def convolved(images: Tensor, kernels: Tensor) -> Tensor:
    """Each image convolved with its kernel; what lies beyond an edge is the image mirrored there.

    Through the Fourier transform: one of 41 × 41 taps takes no longer than one of 3 × 3.

    Args:
        images: [B, C, H, W].
        kernels: [B or 1, K, K], K odd, at most twice the shorter side less 1.
    """
    radius = kernels.shape[-1] // 2
    padded = functional.pad(images, (radius,) * 4, mode="reflect")
    height, width = padded.shape[2:]
    spectrum = torch.fft.rfft2(padded) * torch.fft.rfft2(kernels, s=(height, width))[:, None]
    # The transform wraps round: what is whole begins where the kernel's first tap has left the edge behind.
    whole: Tensor = torch.fft.irfft2(spectrum, s=(height, width))[..., 2 * radius :, 2 * radius :]
    return whole


def disc(radius: float) -> Tensor:
    """A lens out of focus: a disc whose edge is soft by `EDGE`, [1, K, K], of sum 1.

    Args:
        radius: Pixels, at least 0.
    """
    reach = math.ceil(radius + 2 * EDGE)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    distance = torch.hypot(offsets[:, None], offsets)
    kernel: Tensor = torch.special.erfc((distance - radius) / (math.sqrt(2) * EDGE))
    return (kernel / kernel.sum())[None]


def gaussian(sigma: float) -> Tensor:
    """A Gaussian averaged over each pixel, [1, K, K], of sum 1.

    Args:
        sigma: Standard deviation, pixels, above 0.
    """
    reach = math.ceil(3 * sigma)
    edges = torch.arange(-reach, reach + 2, dtype=torch.float32) - 0.5
    line = torch.special.erf(edges / (math.sqrt(2) * sigma)).diff()
    kernel: Tensor = line[:, None] * line
    return (kernel / kernel.sum())[None]


def streaks(angles: Tensor, length: float, sigma: float) -> Tensor:
    """A camera that moves and slows down: half a Gaussian along a line from the middle, [B, K, K], of sum 1 each.

    The line is laid down in steps of at most a quarter of a pixel, each shared among the four pixels around it.

    Args:
        angles: Where to, radians, [B], on the processor.
        length: Of the line, pixels, above 0.
        sigma: Of the Gaussian, pixels, above 0.
    """
    reach = math.ceil(length) + 1
    steps = math.ceil(4 * length)
    along = (torch.arange(steps) + 0.5) * (length / steps)
    weights = torch.exp(-0.5 * (along / sigma) ** 2)
    kernels = torch.zeros(len(angles), (2 * reach + 1) ** 2)
    x, y = reach + angles.cos()[:, None] * along, reach + angles.sin()[:, None] * along  # [B, steps]
    for right in (0, 1):
        for down in (0, 1):
            column, row = x.floor() + right, y.floor() + down
            share = (1 - (x - column).abs()) * (1 - (y - row).abs()) * weights
            kernels.scatter_add_(1, (row * (2 * reach + 1) + column).long(), share)
    return (kernels / kernels.sum(1, keepdim=True)).view(-1, 2 * reach + 1, 2 * reach + 1)


def displaced(images: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Each pixel looked up elsewhere, bilinearly; what lies beyond an edge is the image mirrored there.

    Args:
        images: [B, C, H, W].
        right: How far to the right of a pixel its new value lies, pixels, [B, H, W].
        down: How far below it, likewise.
    """
    height, width = images.shape[2:]
    x = torch.arange(width, device=images.device) + right + 0.5
    y = torch.arange(height, device=images.device)[:, None] + down + 0.5
    grid = torch.stack([2 * x / width - 1, 2 * y / height - 1], dim=-1)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
