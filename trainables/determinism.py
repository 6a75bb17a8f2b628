"""Bit-exact arithmetic on demand, with its off state doing nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact(wanted: bool) -> Iterator[None]:
    """Within it, where `wanted`, torch uses operations that give the same bits each time, or raises.

    On a processor a seed gives the same bits anyway, on one number of threads. On a GPU some sums are
    formed in whatever order threads arrive, and convolutions are chosen by timing them; this forbids
    both. What was set before is put back.

    Source: torch's notes on reproducibility.
    """
    if not wanted:
        yield
        return
    # cuBLAS reads it when it is first used; another value that the user has set is theirs.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn = torch.backends.cudnn
    before = (torch.are_deterministic_algorithms_enabled(), cudnn.benchmark, cudnn.deterministic)
    torch.use_deterministic_algorithms(True)
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        cudnn.benchmark, cudnn.deterministic = before[1:]
