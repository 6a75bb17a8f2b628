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
    """Least gradient by step of the smoothed loss, the first ten and last five steps left out."""
    smooth = np.empty_like(losses)
    for step, loss in enumerate(losses):
        smooth[step] = loss if step == 0 else 0.95 * smooth[step - 1] + 0.05 * loss
    inner = _inner(len(losses))
    return float(rates[inner][np.gradient(smooth[inner]).argmin()])


def _valley(rates: Array, losses: Array) -> float:
    """In the middle third of the longest falling sequence of smoothed losses; the same steps left out."""
    smooth, mean = np.empty_like(losses), 0.0
    for step, loss in enumerate(losses):
        mean = 0.98 * mean + 0.02 * loss
        smooth[step] = mean / (1 - 0.98 ** (step + 1))  # the start's bias taken off
    inner = _inner(len(losses))
    rates, smooth = rates[inner], smooth[inner]
    longest, last = np.ones(len(smooth), int), 0
    for end in range(1, len(smooth)):
        longer = longest[:end][smooth[:end] > smooth[end]]
        longest[end] = 1 + (longer.max() if len(longer) else 0)
        if longest[end] > longest[last]:
            last = end
    first = last - int(longest[last])
    third = (last - first) / 3
    return float(rates[max(0, first + int(third) + int(third / 2))])


def _inner(steps: int) -> slice:
    return slice(2 * EDGE, -EDGE) if steps > 4 * EDGE else slice(None)
