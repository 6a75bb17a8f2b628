"""Torch's global random numbers, borrowed for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Torch's global generators under `seed` inside, as they were before outside.

    Each epoch of a trial draws its dropout and augmentation inside such a block with a seed made
    of (trial seed, epoch): a resumed trial then needs no generator's state, and a caller's own
    random numbers are left alone.
    """
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
