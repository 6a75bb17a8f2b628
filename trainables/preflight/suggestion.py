"""From a ramp to a learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.preflight.ramp import Ramp

Array = NDArray[np.float64]

WINDOW = 11
"""Steps over which losses are averaged, as many before as after: a ramp of a hundred steps is that noisy."""

BELOW = 5.0
"""How far below the least averaged loss of a ramp a whole training is best: `benchmarks/learning_rates.py`."""

RISE = 1.5
"""Times the smallest averaged loss at which training has come apart."""

EDGE = 5
"""Steps at both ends of which no slope is trusted."""


@dataclass(frozen=True)
class Suggestion:
    """Learning rates that a ramp speaks for.

    Args:
        rate: The one to centre a search on.
        steepest: Where the loss falls fastest by step, as torch-lr-finder suggests.
        valley: In the middle of the longest way down, as fastai suggests.
        least: Where the averaged loss is least.
        apart: Where it has come apart; the highest rate where it never does.
        fell: Whether the loss fell at all: if not, nothing is suggested that could be trusted.
    """

    rate: float
    steepest: float
    valley: float
    least: float
    apart: float
    fell: bool


def suggest(ramp: Ramp) -> Suggestion:
    """Read a ramp.

    Source: Smith, WACV 2017 (arXiv:1506.01186); the two other rules as torch-lr-finder 0.2 and fastai 2.7 have them.
    """
    kept = [(rate, loss) for rate, loss in zip(ramp.rates, ramp.losses, strict=True) if math.isfinite(loss)]
    rates, losses = (np.array(column, dtype=np.float64) for column in zip(*kept, strict=True))
    smooth = averaged(losses)
    least = float(rates[smooth.argmin()])
    return Suggestion(
        rate=least / BELOW,
        steepest=_steepest(rates, losses),
        valley=_valley(rates, losses),
        least=least,
        apart=_apart(rates, smooth),
        fell=bool(smooth.min() < 0.9 * smooth[0]),
    )


def averaged(losses: Array) -> Array:
    """The mean over `WINDOW` steps round each, fewer at the ends."""
    half = WINDOW // 2
    padded = np.concatenate([[0.0], np.cumsum(losses)])
    low = np.maximum(np.arange(len(losses)) - half, 0)
    high = np.minimum(np.arange(len(losses)) + half + 1, len(losses))
    found: Array = (padded[high] - padded[low]) / (high - low)
    return found


def _apart(rates: Array, smooth: Array) -> float:
    least = np.minimum.accumulate(smooth)
    far = np.flatnonzero(smooth > RISE * least)
    return float(rates[far[0]] if len(far) else rates[-1])


def _steepest(rates: Array, losses: Array) -> float:
    """Least gradient by step of the exponentially smoothed loss, the first ten and last five steps left out."""
    smooth = _exponential(losses, 0.95)
    inner = slice(2 * EDGE, -EDGE) if len(losses) > 4 * EDGE else slice(None)
    return float(rates[inner][np.gradient(smooth)[inner].argmin()])


def _valley(rates: Array, losses: Array) -> float:
    """Half-way through the middle third of the longest falling sequence of smoothed losses."""
    smooth = _exponential(losses, 0.98)
    longest, begins, ends = np.ones(len(smooth), int), 0, 0
    for end in range(1, len(smooth)):
        for begin in range(end):
            if smooth[begin] > smooth[end] and longest[end] < longest[begin] + 1:
                longest[end] = longest[begin] + 1
        if longest[end] > longest[ends]:
            ends, begins = end, end - int(longest[end]) + 1
    section = (ends - begins) / 3
    return float(rates[min(len(rates) - 1, max(0, begins) + int(section + section / 2))])


def _exponential(losses: Array, past: float) -> Array:
    """The running mean with the start's bias taken off."""
    found, mean = np.empty_like(losses), 0.0
    for step, loss in enumerate(losses):
        mean = past * mean + (1 - past) * loss
        found[step] = mean / (1 - past ** (step + 1))
    return found
