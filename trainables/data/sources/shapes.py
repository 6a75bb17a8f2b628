"""Coloured shapes on noisy grounds: a data set of any size that needs no file, for benchmarks and first tries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

from spaces import InputError
from trainables.data.invariances import Invariances
from trainables.data.listing import Sample
from trainables.data.sources.source import Source
from trainables.seeds import derive_seed

CLASSES = ("circle", "ring", "square", "triangle", "pentagon", "star", "cross", "bar")
IMAGES = 2000
SIDE = 96


class Shapes(Source):
    """One shape an image, in a colour, a size, a place and a turn of its own; the colours say nothing of the class.

    Args:
        images: How many, as a number or as text: ``shapes:50000``.

    Raises:
        InputError: That is no number of images.
    """

    invariances = Invariances(vertical_flip=True, rotation=180.0)

    def __init__(self, images: str | int = IMAGES) -> None:
        text = str(images).replace("_", "").strip()
        if not text.isdecimal() or int(text) < 4 * len(CLASSES):
            raise InputError(
                f"shapes must be at least {4 * len(CLASSES)} images (shapes:50000), but got {str(images)!r}"
            )
        self._images = int(text)

    def classes(self) -> Sequence[str]:
        """Their names."""
        return CLASSES

    def samples(self) -> Iterator[Sample]:
        """As many of each class, in turn."""
        for number in range(self._images):
            yield Sample(f"{number:08}", CLASSES[number % len(CLASSES)])

    def stamp(self, key: str) -> str:
        """A drawing follows from its number."""
        return "1"

    def read(self, key: str) -> Image.Image:
        """Draw one, always the same."""
        number = int(key)
        rng = np.random.default_rng(derive_seed(number, "shape"))
        ground, ink = _two_colours(rng)
        noise = rng.normal(0, rng.uniform(4, 18), (SIDE, SIDE, 3))
        canvas = Image.new("L", (2 * SIDE, 2 * SIDE))  # drawn twice as large: its edges come out smooth
        _draw(CLASSES[number % len(CLASSES)], ImageDraw.Draw(canvas), rng)
        cover = np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)[..., None] / 255
        picture = ground * (1 - cover) + ink * cover + noise
        return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def _two_colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Of the ground and of the shape, far enough apart to be told from each other."""
    ground = rng.uniform(20, 235, 3)
    while np.abs((ink := rng.uniform(0, 255, 3)) - ground).mean() < 50:
        pass
    return ground, ink


def _draw(shape: str, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    side = 2 * SIDE
    radius = rng.uniform(0.2, 0.4) * side
    x, y = rng.uniform(radius + 2, side - radius - 2, 2)
    turn = rng.uniform(0, 2 * math.pi)

    def ring(corners: int, radii: Sequence[float]) -> list[tuple[float, float]]:
        angles = [turn + 2 * math.pi * corner / corners for corner in range(corners)]
        return [
            (x + radii[i % len(radii)] * math.cos(angle), y + radii[i % len(radii)] * math.sin(angle))
            for i, angle in enumerate(angles)
        ]

    box = (x - radius, y - radius, x + radius, y + radius)
    if shape == "circle":
        draw.ellipse(box, fill=255)
    elif shape == "ring":
        draw.ellipse(box, outline=255, width=round(radius * rng.uniform(0.25, 0.5)))
    elif shape in ("square", "triangle", "pentagon"):
        corners = {"triangle": 3, "square": 4, "pentagon": 5}[shape]
        draw.polygon(ring(corners, [radius]), fill=255)
    elif shape == "star":
        draw.polygon(ring(10, [radius, 0.42 * radius]), fill=255)
    else:
        across = [turn] if shape == "bar" else [turn, turn + math.pi / 2]
        for angle in across:
            dx, dy = radius * math.cos(angle), radius * math.sin(angle)
            draw.line((x - dx, y - dy, x + dx, y + dy), fill=255, width=round(radius * 0.45))
