"""Which of several ways is the quickest, by measuring: in turn, since machines are shared and their clocks move."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from trainables.precision import Precision

ROUNDS, FEWEST = 20, 3
"""Timed rounds, and how many where a round is long."""

PATIENCE = 5.0
"""Seconds after which no further round is begun, but for the fewest."""

BETTER = 0.9
"""Share of the usual way's time that another must not exceed to be taken."""


def quickest(ways: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> str:
    """The name of the way to be taken: the first, unless another one's best round is shorter by a tenth.

    Args:
        ways: The usual one first. Each does its work once and says the seconds that it took.
        rounds: Timed ones of each, after one that warms up; fewer where they are long.
    """
    if len(ways) == 1:
        return next(iter(ways))
    best = dict.fromkeys(ways, float("inf"))
    began = time.perf_counter()
    for number in range(rounds + 1):
        if number > FEWEST and time.perf_counter() - began > PATIENCE:
            break
        for name, once in ways.items():
            seconds = once()
            if number:
                best[name] = min(best[name], seconds)
    usual = next(iter(ways))
    least = min(best, key=lambda name: best[name])
    return least if best[least] < BETTER * best[usual] else usual


def pass_seconds(model: Callable[[Tensor], Tensor], batch: Tensor, precision: Precision) -> float:
    """Seconds of a forward and a backward pass.

    Args:
        model: In training mode, on the batch's device.
        batch: Normalised images [B, C, H, W].
        precision: The arithmetic.
    """
    wait(batch.device)
    began = time.perf_counter()
    with precision.autocast():
        loss = model(batch).float().square().mean()
    loss.backward()
    wait(batch.device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    """Until a GPU has done what it was asked for; a processor has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
