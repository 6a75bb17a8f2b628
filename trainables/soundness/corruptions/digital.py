"""What a processor does to images: less contrast, fewer pixels, a stretched sheet, JPEG, garish colours.

After Hendrycks and Dietterich (ICLR 2019, arXiv:1903.12261), with strengths as they published them for 224 pixels, but:

- ``elastic_transform``: they go from two wide distortions to three fine ones, each with a turned and sheared image
  beneath. Here it is one kind, a smooth random displacement, that grows with the severity; its lengths scale with the
  shorter side (see `corruption.scale_of`).
- ``pixelate``: blocks need not divide the image; a pixel that two share takes from both. A block cannot shrink below a
  pixel as the image does, so those for 32 pixels are chosen to change it as much as theirs change one of 224, and
  between the two they are what lies between (see `corruption.rung`).
- ``jpeg_compression``: JPEG's own blocks of eight pixels cannot scale, so small images are given the better
  qualities of CIFAR-10-C (see `corruption.rung`).
- ``saturate``: theirs takes colour away at two severities. Here it only adds, so that each is stronger than the last;
  and what has no colour gets none.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from trainables.soundness.corruptions.corruption import Corruption, rung, scale_of
from trainables.soundness.corruptions.kernels import convolved, displaced, gaussian

_CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)
"""What is left of the distance from the mean."""
_ELASTIC = (1.5, 2.25, 3.25, 4.25, 5.5)
"""Root mean square of the displacement, pixels of 224, right and down each."""
_SMOOTH = 10.0
"""Standard deviation of what smooths it, likewise."""
_BLOCK = (1.3, 1.45, 1.65, 1.9, 2.3), (1 / 0.6, 1 / 0.5, 1 / 0.4, 1 / 0.3, 1 / 0.25)
"""Side of a block, pixels; for 32 pixels, then for 224."""
_QUALITY = (80, 65, 58, 50, 40), (25, 18, 15, 10, 7)
"""JPEG's, of 100; likewise."""
_SATURATION = (1.5, 2.0, 3.0, 5.0, 20.0)
"""Factor on the saturation of HSV, which ends at 1."""


def _contrast(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Less distance from the mean m of each channel of each image: c (x - m) + m."""
    mean = images.mean((2, 3), keepdim=True)
    return mean + _CONTRAST[severity - 1] * (images - mean)


def _elastic_transform(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Pixels looked up at places that differ from their own by smoothed noise.

    Source: Simard et al., ICDAR 2003.
    """
    scale = scale_of(images)
    drawn = torch.randn(len(images), 2, *images.shape[2:], generator=generator)
    smooth = convolved(drawn, gaussian(_SMOOTH * scale))
    size = smooth.square().mean((2, 3), keepdim=True).sqrt()
    right, down = (_ELASTIC[severity - 1] * scale * smooth / size).to(images.device).unbind(1)
    return displaced(images, right, down)


def _pixelate(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Each block of pixels takes its mean."""
    block = rung(images, _BLOCK, severity)
    rows, columns = (_in_blocks(side, block).to(images.device) for side in images.shape[2:])
    return rows @ images @ columns.T


def _in_blocks(side: int, block: float) -> Tensor:
    """[side, side]: a line of pixels → the means of its blocks, which begin at its start, as pixels again."""
    blocks = torch.arange(0, side, block, dtype=torch.float64)[:, None]
    pixels = torch.arange(side, dtype=torch.float64)
    ends = (blocks + block).clamp(max=side)
    shared = (torch.minimum(ends, pixels + 1) - torch.maximum(blocks, pixels)).clamp(min=0)  # [blocks, side]
    return (shared.T @ (shared / (ends - blocks))).float()


def _jpeg_compression(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Through JPEG and back, of three channels with half as many pixels a side for colour, as is usual."""
    quality = round(rung(images, _QUALITY, severity))
    pixels = (images * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    back = []
    for picture in pixels:
        file = io.BytesIO()
        Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture).save(
            file, format="JPEG", quality=quality, subsampling="4:2:0"
        )
        with Image.open(file) as opened:
            back.append(torch.from_numpy(np.array(opened)).view(*picture.shape))
    return torch.stack(back).permute(0, 3, 1, 2).to(images.device).float() / 255


def _saturate(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """The largest channel v stays, and the others move away from it until one is 0: v - (v - x) s' / s."""
    value, least = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    saturation = (value - least) / value.clamp(min=1e-6)
    factor = torch.minimum(torch.full_like(value, _SATURATION[severity - 1]), 1 / saturation.clamp(min=1e-6))
    return value - (value - images) * factor


DIGITAL = {
    "contrast": Corruption("digital", _contrast),
    "elastic_transform": Corruption("digital", _elastic_transform),
    "pixelate": Corruption("digital", _pixelate),
    "jpeg_compression": Corruption("digital", _jpeg_compression),
    "saturate": Corruption("digital", _saturate, colour=True),
}
