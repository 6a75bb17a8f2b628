"""A data set in memory: pixels, labels, three splits, and what may be done to its images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Images:
    """One split: pictures, or some rows of pictures that splits have in common.

    Args:
        pixels: [M, H, W, C], uint8. Never written to: trials of a node share it.
        labels: [N], int64, in [0, classes).
        rows: Which of the pictures are the split's, [N]; none for all of them in their order, M = N.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def chunks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """The split's pictures in order, at most `size` at once."""
        for start in range(0, max(1, len(self)), size):
            part = slice(start, start + size)
            yield self.pixels[part] if self.rows is None else self.pixels[self.rows[part]]

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel over all pictures, in [0, 1]; no deviation below 0.001."""
        count, total, squares = 0, np.zeros(1), np.zeros(1)
        for chunk in self.chunks(256):
            values = chunk.reshape(-1, chunk.shape[-1])
            count += len(values)
            total = total + values.sum(axis=0, dtype=np.int64)  # whole numbers: exact in any order
            squares = squares + np.square(values, dtype=np.uint16).sum(axis=0, dtype=np.int64)
        mean = total / max(count, 1)
        deviation = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0.0))
        return tuple((mean / 255).tolist()), tuple(np.maximum(deviation / 255, 1e-3).tolist())


@dataclass(frozen=True)
class Invariances:
    """Which changes of an image keep its label true: a mirrored 3 is no 3, a mirrored cat is a cat.

    Args:
        horizontal_flip: Left and right may be exchanged.
        vertical_flip: Top and bottom may be exchanged.
        rotation: Largest rotation that leaves the label true, degrees either way.
        colour: Brightness, contrast and hue may change.
        crop: Part of the image may be missing at its edges.
    """

    horizontal_flip: bool = True
    vertical_flip: bool = False
    rotation: float = 30.0
    colour: bool = True
    crop: bool = True


@dataclass(frozen=True)
class Dataset:
    """A data set with its splits.

    Args:
        name: As the user called it.
        classes: Names of the classes; a label is an index into them.
        train: What trials learn from.
        val: What trials are judged by.
        test: Opened once, after selection. No trial ever gets it.
        invariances: What augmentation may do.
        repeats: How often an epoch should pass over the training images, 1 for all but tiny sets.
    """

    name: str
    classes: tuple[str, ...]
    train: Images
    val: Images
    test: Images
    invariances: Invariances = field(default_factory=Invariances)
    repeats: int = 1
