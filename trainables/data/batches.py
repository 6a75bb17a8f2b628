"""Batches from arrays in memory: an epoch's order follows from its seed alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from trainables.data.dataset import Images


class Split:
    """One split on the trial's device, as uint8 in channels-last memory.

    Args:
        images: The split; its arrays may be read-only and shared, they are never written to.
        device: Where batches are made.
    """

    def __init__(self, images: Images, device: torch.device) -> None:
        with warnings.catch_warnings():  # torch warns that shared memory is read-only; we only read it
            warnings.filterwarnings("ignore", message=".*not writable.*")
            pixels = torch.from_numpy(images.pixels)
            labels = torch.from_numpy(images.labels)
            rows = None if images.rows is None else torch.from_numpy(images.rows)
        self._rows = None if rows is None else rows.to(device)
        self.pixels = pixels.permute(0, 3, 1, 2).to(device)
        self.labels = labels.to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images [B, C, H, W], float32 in [0, 1], and labels [B], of the rows in `index`."""
        rows = index if self._rows is None else self._rows[index]
        return self.pixels[rows].float().div_(255.0), self.labels[index]

    def in_order(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All images once, in batches of at most `size`."""
        for rows in torch.arange(len(self), device=self.labels.device).split(size):
            yield self.take(rows)


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
