"""Batches from arrays in memory: an epoch's order follows from its seed alone."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterator
from copy import copy
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.dataset import Images


class Split:
    """One split as a trial reads it: uint8, on the trial's device where that has room for it.

    Args:
        images: The split; its arrays may be read-only, shared, or mapped from a file that is larger than
            memory. They are never written to.
        device: Where batches are made.

    Attributes:
        margin: By how many pixels a picture is wider than what a network sees of it.
        labels: [N], on the device.
    """

    def __init__(self, images: Images, device: torch.device) -> None:
        rows = None if images.rows is None else as_tensor(images.rows)
        pixels = as_tensor(images.pixels)  # [M, H, W, C]
        if device.type != "cpu" and _fits(images, device):
            pixels, rows = (pixels if rows is None else pixels[rows]).to(device), None
        self._device = device
        self._pictures = pixels
        self._rows = rows
        self._size = images.shown
        self.margin = int(pixels.shape[1]) - self._size
        self.labels = as_tensor(images.labels).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> Tensor:
        """What of its pictures evaluation sees, [M, C, H, W], in channels-last memory."""
        edge = slice(self.margin // 2, self.margin // 2 + self._size)
        return self._pictures[:, edge, edge].permute(0, 3, 1, 2)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images [B, C, H, W], float32 in [0, 1], and labels [B], of the rows in `index`; cut from the middle."""
        return self._as_floats(self.pixels[self._rows_of(index)]), self.labels[index]

    def draw(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The same for training: each image cut from anywhere in its picture, by torch's random numbers."""
        if not self.margin:
            return self.take(index)
        corners = torch.randint(self.margin + 1, (len(index), 2)).tolist()
        rows = self._rows_of(index).tolist()
        size, pictures = self._size, self._pictures
        cut = [pictures[row, y : y + size, x : x + size] for row, (y, x) in zip(rows, corners, strict=True)]
        return self._as_floats(torch.stack(cut).permute(0, 3, 1, 2)), self.labels[index]

    def in_order(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All images once, in batches of at most `size`."""
        for rows in torch.arange(len(self), device=self.labels.device).split(size):
            yield self.take(rows)

    def part(self, start: int, length: int) -> Split:
        """Some of its rows, one after the other; the pictures are the same memory."""
        rows = slice(start, start + length)
        some = copy(self)
        some._rows = (
            torch.arange(len(self), device=self._pictures.device)[rows]
            if self._rows is None
            else self._rows[rows]
        )
        some.labels = self.labels[rows]
        return some

    def _rows_of(self, index: Tensor) -> Tensor:
        index = index.to(self._pictures.device)
        return index if self._rows is None else self._rows[index]

    def _as_floats(self, pixels: Tensor) -> Tensor:
        return pixels.to(self._device, non_blocking=True).float().div_(255.0)


_RESIDENT: OrderedDict[tuple[int, str], tuple[ReferenceType[Images], Split]] = OrderedDict()
RESIDENT = 4
"""Splits that stay on a card for the next trial; those of more folds come and go with their trials."""


def split_on(images: Images, device: torch.device) -> Split:
    """The split for a trial of this process: what is on a card is there once for all of them, one after the other too.

    Args:
        images: The split.
        device: Where batches are made.
    """
    if device.type == "cpu":
        return Split(images, device)
    place = (id(images), str(device))
    known, split = _RESIDENT.pop(place, (None, None))
    if known is None or known() is not images or split is None:  # another's number, once it was gone
        split = Split(images, device)
    _RESIDENT[place] = (ref(images), split)
    while len(_RESIDENT) > RESIDENT:
        _RESIDENT.popitem(last=False)
    return split


def as_tensor(array: NDArray[Any]) -> Tensor:
    """An array as a tensor on the same memory, which may be read-only: it is never written to."""
    with warnings.catch_warnings():  # torch warns that shared memory is read-only; we only read it
        warnings.filterwarnings("ignore", message=".*not writable.*")
        return torch.from_numpy(array)


def _fits(images: Images, device: torch.device) -> bool:
    """Whether the pictures may lie on the device: in a quarter of what is free there, the rest is the network's."""
    size = len(images) * int(np.prod(images.pixels.shape[1:]))
    return device.type != "cuda" or size <= torch.cuda.mem_get_info(device)[0] / 4


def epoch_order(images: int, batch: int, repeats: int, seed: int) -> list[Tensor]:
    """The rows of each step of one epoch: `repeats` permutations of all images, cut into batches.

    Args:
        images: Number of training images.
        batch: Effective batch size.
        repeats: Passes over the images.
        seed: Seed of this epoch's order.

    Returns:
        Index tensors of exactly `batch` rows each; what is left over is dropped (BatchNorm would make
        noise of a last batch of one), except when it is all there is.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.cat([torch.randperm(images, generator=generator) for _ in range(repeats)])
    return list(order[: rows_of_epoch(images, batch, repeats)].split(batch))


def rows_of_epoch(images: int, batch: int, repeats: int) -> int:
    """How many rows an epoch shows: those of whole batches, or all there are where they make none."""
    rows = images * repeats
    return rows // batch * batch or rows
