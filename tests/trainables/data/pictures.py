"""Files of every kind that people have: well-formed ones, odd ones and broken ones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 64


def scene(seed: int, side: int = SIDE) -> Image.Image:
    """A picture with large forms and fine grain, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(30, 226, (5, 5, 3), np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    grain = rng.normal(0, 6, (side, side, 3))
    return Image.fromarray((np.asarray(coarse) + grain).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """An image's file as bytes."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def sixteen_bits(seed: int, top: int = 65535) -> bytes:
    """A grey PNG of 16 bits whose values go from 0 to `top`."""
    grey = np.asarray(scene(seed).convert("L"), np.float64)
    grey = (grey - grey.min()) / (grey.max() - grey.min())
    return encoded(Image.fromarray((grey * top).round().astype(np.uint16)))


def rotated(seed: int, orientation: int = 6) -> bytes:
    """A JPEG that is to be turned for display."""
    exif = Image.Exif()
    exif[274] = orientation
    return encoded(scene(seed), "JPEG", quality=95, exif=exif)


def animation(*seeds: int) -> bytes:
    """A GIF of several frames."""
    first, *rest = [scene(seed).convert("P", palette=Image.Palette.ADAPTIVE) for seed in seeds]
    return encoded(first, "GIF", save_all=True, append_images=rest, duration=100)


def write(path: Path, data: bytes) -> Path:
    """A file and the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def write_classes(root: Path, classes: int = 3, images: int = 12, side: int = SIDE) -> Path:
    """A clean folder of class folders; scenes of a class have a hue in common."""
    for label in range(classes):
        for number in range(images):
            write(root / f"class_{label}" / f"{number:02}.png", encoded(tinted(label, classes, number, side)))
    return root


def tinted(label: int, classes: int, number: int, side: int = SIDE) -> Image.Image:
    """A scene whose mean colour tells its class."""
    picture = np.asarray(scene(1000 * label + number, side), np.float64)
    angle = 2 * np.pi * label / classes
    tint = 40 * np.cos(angle + np.asarray([0, 2, 4]) * np.pi / 3)
    return Image.fromarray((0.7 * picture + 0.3 * 128 + tint).clip(0, 255).astype(np.uint8))
