"""All changes of an image's geometry as one matrix, and one sampling of its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

RATIO = 4 / 3
"""Most that a crop's sides differ (Szegedy et al., CVPR 2015)."""


@dataclass(frozen=True)
class Geometry:
    """How far an image may be moved; all of it at once, in one lookup.

    Kornia has each of these as a step of its own, which samples the pixels anew. One matrix and one
    `grid_sample` are as exact and cost less than half (docs/benchmarks.md).

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
        # A few numbers an image: numpy does such arithmetic in a fraction of the time that torch's calls take.
        draws = torch.rand(12, count).numpy()
        angle, along, down, larger, shear_x, shear_y, area, ratio, left, top = 2 * draws[:10] - 1
        flips = np.where(draws[10:] < 0.5, -1.0, 1.0)
        turn = math.radians(self.rotation) * angle
        lean_x, lean_y = (
            np.tan(math.radians(self.shear) * shear_x),
            np.tan(math.radians(self.shear) * shear_y),
        )
        size = 1 + self.zoom * larger
        kept = 1 - self.crop * (area + 1) / 2
        # As far from square as the paper's crops, but never wider or higher than the image itself.
        stretch = np.exp(ratio * np.minimum(-np.log(kept), math.log(RATIO)) / 2)
        wide, high = np.sqrt(kept) * stretch, np.sqrt(kept) / stretch
        scale_x = wide * (flips[0] if self.horizontal_flip else 1)
        scale_y = high * (flips[1] if self.vertical_flip else 1)
        cos, sin = np.cos(turn) * size, np.sin(turn) * size
        matrices = np.empty((count, 2, 3), dtype=np.float32)
        matrices[:, 0, 0] = (cos + sin * lean_y) * scale_x
        matrices[:, 0, 1] = (cos * lean_x + sin) / aspect * scale_y
        matrices[:, 1, 0] = (cos * lean_y - sin) * aspect * scale_x
        matrices[:, 1, 1] = (cos - sin * lean_x) * scale_y
        # Where the middle of the new image comes from: the shift, and a crop anywhere within the image.
        matrices[:, 0, 2] = 2 * self.shift * along + (1 - wide) * left
        matrices[:, 1, 2] = 2 * self.shift * down + (1 - high) * top
        return torch.from_numpy(matrices)


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
