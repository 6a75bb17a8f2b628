"""Figures of one stored picture: how bright, how sharp, what it looks like in 64 bits."""

from __future__ import annotations

from typing import Any

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LUMA = np.asarray([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's conversion to grey


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Brightness of each pixel, [H, W, C] → [H, W], in [0, 1]; other numbers of channels by their mean."""
    values = pixels.astype(np.float32) / 255
    grey = values[..., :3] @ _LUMA if values.shape[-1] in (3, 4) else values.mean(axis=-1)
    return np.asarray(grey, np.float32)


def traits(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """The columns of `Facts` that follow from a stored picture [H, W, C]."""
    grey = luma(pixels)
    flat = pixels.reshape(-1, pixels.shape[-1]).astype(np.float32) / 255
    share = np.full(len(flat), 1 / len(flat), np.float32)
    mean = share @ flat  # a product of matrices is many times faster than a mean along the long axis
    return {
        "mean": mean,
        "deviation": np.sqrt(share @ np.square(flat - mean)),
        "brightness": grey.mean(),
        "contrast": grey.std(),
        "sharpness": _laplacian(grey).var() if min(grey.shape) > 2 else 0.0,
        "phash": perceptual_hash(grey),
    }


def perceptual_hash(grey: NDArray[np.float32]) -> int:
    """64 bits that copies of a picture share however they were scaled and compressed, the first the highest.

    Source: ImageHash's phash, after Zauner, "Implementation and Benchmarking of Perceptual Image Hash
    Functions" (2010): which of the 8×8 lowest frequencies lie above their median.
    """
    bits = imagehash.phash(Image.fromarray((grey * 255).round().astype(np.uint8))).hash
    return int.from_bytes(np.packbits(bits.reshape(-1)).tobytes(), "big")


def _laplacian(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the pixels that have four neighbours."""
    neighbours = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return np.asarray(neighbours - 4 * grey[1:-1, 1:-1], np.float32)
