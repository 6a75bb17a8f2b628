"""A data set in memory: pixels, labels, three splits, and what may be done to its images."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Images:
    """One split.

    Args:
        pixels: [N, H, W, C], uint8. Never written to: trials of a node share it.
        labels: [N], int64, in [0, classes).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


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
