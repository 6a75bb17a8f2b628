"""Which of several ways is the quickest, by measuring: in turn, since machines are shared and their clocks move."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor

from trainables.precision import Precision

ROUNDS, FEWEST = 20, 3
"""Timed rounds, and how many where a round is long."""

PATIENCE = 5.0
"""Seconds after which no further round is begun, but for the fewest."""

BETTER = 0.9
"""Share of a way's time that another one must not reach to be taken in its place."""

K = TypeVar("K")


def quickest(ways: Mapping[K, Callable[[], float]], rounds: int = ROUNDS) -> K:
    """The way to be taken: the first, unless a later one's best round is shorter by a tenth, and so on from that one.

    Args:
        ways: The usual or the cheapest first. Each does its work once and says the seconds that it took.
        rounds: Timed ones of each, after one that warms up; fewer where they are long.
    """
    taken, *others = ways
    if not others:
        return taken
    best = dict.fromkeys(ways, float("inf"))
    began = time.perf_counter()
    for number in range(rounds + 1):
        if number > FEWEST and time.perf_counter() - began > PATIENCE:
            break
        for name, once in ways.items():
            seconds = once()
            if number:
                best[name] = min(best[name], seconds)
    for other in others:
        if best[other] < BETTER * best[taken]:
            taken = other
    return taken


def pass_seconds(model: Callable[[Tensor], Tensor], batch: Tensor, precision: Precision) -> float:
    """Seconds of a forward and a backward pass.

    Args:
        model: In training mode, on the batch's device.
        batch: Normalised images [B, C, H, W].
        precision: The arithmetic.
    """

    def forward_and_backward() -> None:
        with precision.autocast():
            loss = model(batch).float().square().mean()
        loss.backward()

    return seconds_of(forward_and_backward, batch.device)


def seconds_of(act: Callable[[], None], device: torch.device) -> float:
    """Seconds until a device has done what `act` asks of it."""
    wait(device)
    began = time.perf_counter()
    act()
    wait(device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    """Until a GPU has done what it was asked for; a processor has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
