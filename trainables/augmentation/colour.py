"""All changes of an image's colours as one affine map of its channels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GREY = torch.tensor([0.299, 0.587, 0.114])
"""What red, green and blue add to brightness (ITU-R BT.601)."""

_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


@dataclass(frozen=True)
class Colour:
    """How far colours may change; all of it at once, in one matrix product.

    Brightness and contrast scale, saturation blends with grey, and a change of hue turns colours about
    the grey axis: each is linear in a pixel's channels, contrast but for the image's mean. Kornia takes
    them one after the other, hue through HSV, at a tenth of the speed.

    Args:
        brightness: Share either way.
        contrast: Share either way.
        saturation: Share either way; for images of three channels.
        hue: Turns of the colour circle either way; likewise.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __call__(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] in [0, 1], recoloured and cut to [0, 1]."""
        light, contrast, saturation, hue = (2 * torch.rand(4, len(images)) - 1).unbind()
        return recolour(
            images,
            brightness=1 + self.brightness * light,
            contrast=1 + self.contrast * contrast,
            saturation=1 + self.saturation * saturation,
            hue=self.hue * hue,
        )


def recolour(
    images: Tensor,
    *,
    brightness: Tensor | None = None,
    contrast: Tensor | None = None,
    saturation: Tensor | None = None,
    hue: Tensor | None = None,
) -> Tensor:
    """Change the colours of each image by factors of its own.

    Args:
        images: [B, C, H, W] in [0, 1].
        brightness: Factors [B]; none, here and below, changes nothing.
        contrast: Factors [B] on the distance from the image's mean brightness.
        saturation: Factors [B] on the distance from grey; for three channels.
        hue: Turns [B] of the colour circle, in [-0.5, 0.5]; likewise.

    Returns:
        [B, C, H, W], cut to [0, 1].
    """
    light, spread = _numbers(brightness, images, 1.0), _numbers(contrast, images, 1.0)
    channels = images.shape[1]
    flat = images.reshape(len(images), channels, -1)
    scale = (light * spread)[:, None, None]
    rest = torch.from_numpy((light * (1 - spread))[:, None, None]).to(images)
    if channels == 3:
        grey = torch.matmul(GREY.to(images), flat.mean(2)[:, :, None])[:, :, None]
        mixing = _mixing(_numbers(saturation, images, 1.0), _numbers(hue, images, 0.0))
        out = torch.baddbmm((rest * grey).expand(-1, 3, 1), torch.from_numpy(mixing * scale).to(images), flat)
    else:
        out = torch.addcmul(rest * flat.mean((1, 2), keepdim=True), flat, torch.from_numpy(scale).to(images))
    return out.clamp_(0, 1).view(images.shape)


def _numbers(values: Tensor | None, images: Tensor, otherwise: float) -> NDArray[np.float32]:
    """One factor an image; numpy does the arithmetic of a few numbers in a fraction of the time of torch's calls."""
    if values is None:
        return np.full(len(images), otherwise, dtype=np.float32)
    return values.numpy().astype(np.float32, copy=False)


def _mixing(saturation: NDArray[np.float32], hue: NDArray[np.float32]) -> NDArray[np.float32]:
    """[B, 3, 3]: turn the colours, and move them from grey or towards it; grey itself stays."""
    share, angle = saturation[:, None, None], (2 * math.pi * hue)[:, None, None]
    turned = _STILL + np.cos(angle) * _COS + np.sin(angle) * _SIN
    # A turn leaves grey where it is, so what is blended in is the same grey before and after it.
    mixing: NDArray[np.float32] = share * turned + (1 - share) * GREY.numpy()
    return mixing


def _in_yiq(*entries: tuple[int, int, float]) -> NDArray[np.float32]:
    """A 3 × 3 matrix of RGB that has these entries (row, column, value) in YIQ."""
    matrix = np.zeros((3, 3))
    for row, column, value in entries:
        matrix[row, column] = value
    changed: NDArray[np.float32] = (np.linalg.inv(_YIQ) @ matrix @ _YIQ).astype(np.float32)
    return changed


# A turn by an angle about the grey axis is _STILL + cos · _COS + sin · _SIN.
_STILL = _in_yiq((0, 0, 1.0))
_COS = _in_yiq((1, 1, 1.0), (2, 2, 1.0))
_SIN = _in_yiq((1, 2, -1.0), (2, 1, 1.0))
