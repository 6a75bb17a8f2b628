"""All changes of an image's colours as one affine map of its channels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

GREY = torch.tensor([0.299, 0.587, 0.114])
"""What red, green and blue add to brightness (ITU-R BT.601)."""

_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_RGB = torch.linalg.inv(_YIQ)


@dataclass(frozen=True)
class Colour:
    """How far colours may change; all of it at once, in one matrix product.

    Brightness and contrast scale, saturation blends with grey, and a change of hue turns colours about
    the grey axis: each is linear in a pixel's channels, contrast but for the image's mean. Kornia takes
    them one after the other, hue through HSV, at a twentieth of the speed (docs/benchmarks.md).

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
    one = torch.ones(len(images))
    light = one if brightness is None else brightness
    spread = one if contrast is None else contrast
    channels = images.shape[1]
    flat = images.reshape(len(images), channels, -1)
    if channels == 3:
        grey = torch.einsum("c,bcn->b", GREY.to(images), flat) / flat.shape[2]
        mixing = _mixing(one if saturation is None else saturation, 0 * one if hue is None else hue)
        matrix = (mixing * (light * spread)[:, None, None]).to(images)
        middle = ((light * (1 - spread)).to(images) * grey)[:, None, None]
        out = torch.baddbmm(middle.expand(-1, 3, 1), matrix, flat)
    else:
        grey = flat.mean((1, 2))
        middle = ((light * (1 - spread)).to(images) * grey)[:, None, None]
        out = flat * (light * spread).to(images)[:, None, None] + middle
    return out.clamp_(0, 1).view(images.shape)


def _mixing(saturation: Tensor, hue: Tensor) -> Tensor:
    """[B, 3, 3]: turn the colours, and move them from grey or towards it; grey itself stays."""
    share = saturation[:, None, None]
    away = share * torch.eye(3) + (1 - share) * GREY.expand(3, 3)
    angle = 2 * math.pi * hue
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    turn = torch.stack([
        torch.stack([one, zero, zero]),
        torch.stack([zero, cos, -sin]),
        torch.stack([zero, sin, cos]),
    ]).permute(2, 0, 1)  # fmt: skip
    mixing: Tensor = _RGB @ turn @ _YIQ @ away
    return mixing
