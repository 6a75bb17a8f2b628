"""The learning-rate range test: a ramp from far too small to far too large, in one short training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from trainables.preflight.setup import Setup
from trainables.seeds import derive_seed

STEPS = 100
LOW, HIGH = 1e-6, 10.0
"""Learning rates at the ends of the ramp."""

TOO_MUCH = 4.0
"""Times the smallest smoothed loss at which the ramp is broken off, as fastai does."""

MEMORY = 0.9
"""Weight of the past in the running mean that decides about breaking off."""


@dataclass(frozen=True)
class Ramp:
    """What a ramp has shown.

    Args:
        rates: Peak learning rate of each step, ascending.
        losses: Loss of each step, before it; the last may be infinite.
        broken: Whether it ended before the highest rate.

    Source: Smith, WACV 2017 (arXiv:1506.01186), section 3.3; exponential as in fastai's ``lr_find``.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    broken: bool


def ramp(setup: Setup, *, low: float = LOW, high: float = HIGH, steps: int = STEPS) -> Ramp:
    """Train for `steps` steps while the learning rate grows from `low` to `high` by the same factor each.

    The training is thrown away: it is a loop of its own.

    Args:
        setup: What is trained.
        low: First rate, above 0.
        high: Last rate, above `low`.
        steps: Steps, from 2.
    """
    loop = setup.loop()
    order = _order(setup, steps)
    rates: list[float] = []
    losses: list[float] = []
    mean = best = math.inf
    for step, rows in enumerate(order):
        rate = low * (high / low) ** (step / (steps - 1))
        inputs, targets = loop.batch(rows)
        loss = float(loop.step(inputs, targets, rate / setup.rate))
        rates.append(rate)
        losses.append(loss)
        if not math.isfinite(loss):
            break
        mean = loss if step == 0 else MEMORY * mean + (1 - MEMORY) * loss
        best = min(best, mean)
        if mean > TOO_MUCH * best:
            break
    return Ramp(tuple(rates), tuple(losses), len(rates) < steps)


def _order(setup: Setup, steps: int) -> list[torch.Tensor]:
    """Rows of each step: all images in turn, shuffled anew each time."""
    images, size = len(setup.train.labels), min(setup.batch, len(setup.train.labels))
    generator = torch.Generator().manual_seed(derive_seed(0, "ramp"))
    rounds = -(-steps * size // images)
    rows = torch.cat([torch.randperm(images, generator=generator) for _ in range(rounds)])
    return list(rows[: steps * size].split(size))
