"""A data set in memory: pixels, labels, three splits, and what may be done to its images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainables.data.invariances import Invariances


@dataclass(frozen=True)
class Images:
    """One split: pictures, or some rows of pictures that splits have in common.

    Args:
        pixels: [M, H, W, C], uint8. Never written to: trials of a node share it.
        labels: [N], int64, in [0, classes).
        rows: Which of the pictures are the split's, [N]; none for all of them in their order, M = N.
        size: Side of the square of a picture that a network sees, pixels: training cuts it from anywhere,
            evaluation from the middle. None for the whole picture.
        clusters: Number of what must stay on one side of any split, [N]; none where each image is alone.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64] | None = None
    size: int | None = None
    clusters: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shown(self) -> int:
        """Side of what a network sees, pixels."""
        return self.size or int(self.pixels.shape[1])

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


class Origin(Protocol):
    """What is known of where a data set's images come from."""

    @property
    def fingerprint(self) -> str:
        """The same for the same images with the same labels in the same splits."""

    def table(self) -> str:
        """Which image is in which split, as CSV for people."""

    def names(self, images: Images) -> list[str] | None:
        """What people call the images of one of the data set's splits, in its order; none where that is not known."""


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
        remarks: What the user should be told about how it was made, a sentence each.
        origin: Where its images come from, of a data set that was read from a source.
        folds: Pairs of training and validation images, the first that of `train` and `val`; empty where
            these are the only ones. See `trainables.data.folds.with_folds`.
    """

    name: str
    classes: tuple[str, ...]
    train: Images
    val: Images
    test: Images
    invariances: Invariances = field(default_factory=Invariances)
    repeats: int = 1
    remarks: tuple[str, ...] = ()
    origin: Origin | None = None
    folds: tuple[tuple[Images, Images], ...] = ()

    def fingerprint(self) -> str:
        """The same for the same images with the same labels in the same splits, 24 hexadecimal digits."""
        if self.origin is not None:
            return self.origin.fingerprint
        state = hashlib.blake2b(digest_size=12)
        for name in self.classes:
            state.update(f"{name}\0".encode("utf-8", "surrogatepass"))
        for split in (self.train, self.val, self.test):
            state.update(str((len(split), split.pixels.shape[1:])).encode())
            state.update(split.labels.tobytes())
            for chunk in split.chunks(256):
                state.update(chunk.tobytes())
        return state.hexdigest()
