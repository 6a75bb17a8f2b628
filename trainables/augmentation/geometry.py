"""All changes of an image's geometry as one matrix, and one sampling of its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

RATIO = 4 / 3
"""Most that a crop's sides differ (Szegedy et al., CVPR 2015)."""


@dataclass(frozen=True)
class Geometry:
    """How far an image may be moved; all of it at once, in one lookup.

    Kornia has each of these as a step of its own, which samples the pixels anew. One matrix and one
    `grid_sample` are as exact and cost a third (docs/benchmarks.md).

    Args:
        rotation: Degrees either way.
        shift: Share of the side, either way.
        zoom: Share by which an image is scaled up or down.
        shear: Degrees either way.
        crop: Largest share of the area that a crop leaves out; what is left is scaled to the full size.
        horizontal_flip: Left and right are exchanged in half of the images.
        vertical_flip: Top and bottom likewise.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    crop: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False

    def __call__(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W], moved; what comes from beyond an edge is the image mirrored there."""
        height, width = images.shape[2:]
        return warp(images, self.draw(len(images), width / height))

    def draw(self, count: int, aspect: float = 1.0) -> Tensor:
        """Matrices [count, 2, 3]: where a pixel of the new image, in [-1, 1]², comes from in the old one.

        Args:
            count: Images.
            aspect: Width over height of an image: angles are angles of the picture.
        """
        draws = torch.rand(12, count)
        angle, along, down, larger, shear_x, shear_y, area, ratio, left, top = 2 * draws[:10] - 1
        flips = torch.where(draws[10:] < 0.5, -1.0, 1.0)
        turn = torch.deg2rad(self.rotation * angle)
        lean_x, lean_y = (torch.deg2rad(self.shear * lean).tan() for lean in (shear_x, shear_y))
        size = 1 + self.zoom * larger
        kept = 1 - self.crop * (area + 1) / 2
        # As far from square as the paper's crops, but never wider or higher than the image itself.
        stretch = torch.exp(ratio * (-kept.log()).clamp(max=math.log(RATIO)) / 2)
        wide, high = kept.sqrt() * stretch, kept.sqrt() / stretch
        scale_x = wide * (flips[0] if self.horizontal_flip else 1)
        scale_y = high * (flips[1] if self.vertical_flip else 1)
        cos, sin = turn.cos() * size, turn.sin() * size
        moved = torch.stack([
            torch.stack([(cos + sin * lean_y) * scale_x, (cos * lean_x + sin) / aspect * scale_y]),
            torch.stack([(cos * lean_y - sin) * aspect * scale_x, (cos - sin * lean_x) * scale_y]),
        ])  # fmt: skip
        # Where the middle of the new image comes from: the shift, and a crop anywhere within the image.
        middle = torch.stack([
            2 * self.shift * along + (1 - wide) * left,
            2 * self.shift * down + (1 - high) * top,
        ])  # fmt: skip
        return torch.cat([moved, middle[:, None]], dim=1).permute(2, 0, 1)


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Look each pixel of the new images up in the old ones, bilinearly.

    Args:
        images: [B, C, H, W].
        matrices: [B, 2, 3], on any device: new place → old place, in [-1, 1]².
    """
    height, width = images.shape[2:]
    x, y = _middles(width, images.device, images.dtype), _middles(height, images.device, images.dtype)
    entries = matrices.to(images.device, images.dtype).unflatten(0, (-1, 1, 1))
    # As torch's `affine_grid`, which multiplies matrices for it, at a fifth of its time.
    grid = images.new_empty(len(images), height, width, 2)
    for axis in range(2):
        row = entries[..., axis, :]
        torch.addcmul(row[..., 1] * y[:, None] + row[..., 2], row[..., 0], x, out=grid[..., axis])
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


@lru_cache(maxsize=16)
def _middles(length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The middle of each pixel of a side, in [-1, 1]."""
    return (2 * torch.arange(length, device=device, dtype=dtype) + 1) / length - 1
