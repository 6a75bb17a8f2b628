"""Figures of one stored picture: how bright, how sharp, what it looks like in 64 bits."""

from __future__ import annotations

from typing import Any

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LEVELS = np.arange(256) / 255


def grey_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness of each pixel, [H, W, C] → [H, W]: luma (ITU-R BT.601) of colour, else the channels' mean."""
    if pixels.shape[-1] in (3, 4):
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels[..., :3])).convert("L"))
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels.mean(axis=-1).round().astype(np.uint8)


def traits(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """The columns of `Facts` that follow from a stored picture [H, W, C]."""
    grey = grey_of(pixels)
    moments = np.asarray([_moments(pixels[..., channel]) for channel in range(pixels.shape[-1])])
    brightness, contrast = _moments(grey)
    return {
        "mean": moments[:, 0],
        "deviation": moments[:, 1],
        "brightness": brightness,
        "contrast": contrast,
        "sharpness": _laplacian(grey).var() / 255**2 if min(grey.shape) > 2 else 0.0,
        "phash": perceptual_hash(grey),
    }


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """64 bits that copies of a picture share however they were scaled and compressed, the first the highest.

    Source: ImageHash's phash, after Zauner, "Implementation and Benchmarking of Perceptual Image Hash
    Functions" (2010): which of the 8×8 lowest frequencies lie above their median.
    """
    bits = imagehash.phash(Image.fromarray(grey)).hash
    return int.from_bytes(np.packbits(bits.reshape(-1)).tobytes(), "big")


def _moments(plane: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean and standard deviation in [0, 1], from a histogram: exact, and ten times faster than over pixels."""
    counts = np.asarray(Image.fromarray(np.ascontiguousarray(plane)).histogram())
    share = counts / counts.sum()
    mean = float(share @ _LEVELS)
    return mean, float(np.sqrt(share @ np.square(_LEVELS - mean)))


def _laplacian(grey: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Of the pixels that have four neighbours."""
    wide = grey.astype(np.int16)
    neighbours = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    return np.asarray(neighbours - 4 * wide[1:-1, 1:-1], np.int16)
