"""A mean over seeds and test images, how sure it is, and what would make it surer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from search.answer.hits import Hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95
NORMAL = 1.959964
"""The normal distribution's 97.5 % quantile."""
MOST_SEEDS = 1000
"""More are not thought of."""


@dataclass(frozen=True)
class Estimate:
    """A mean, or the mean of paired differences.

    Its interval is what another set of seeds and another set of test images would leave it in, 19 times of 20. The
    seeds' part is Student's: with three of them 4.3 standard errors, not 2, which is what keeps a lucky pair of seeds
    from passing for a discovery. The images' part is the bootstrap's over images, which for a mean need not be drawn:
    its standard deviation is that of the images' values over √images (Efron & Tibshirani, "An Introduction to the
    Bootstrap", 1993, chapter 5). Both together are a little wider than they must be, since what depends on seed and
    image counts in both. Seeds are not resampled: three of them say nothing about the tails.

    Args:
        value: The mean.
        seeds: Over how many.
        by_seeds: Standard error for the choice of seeds; none where a single one leaves nothing to tell it from.
        images: Over how many test images; 0 where it is not known image by image.
        by_images: Standard error for the choice of images.
    """

    value: float
    seeds: int
    by_seeds: float | None
    images: int = 0
    by_images: float = 0.0

    @property
    def margin(self) -> float | None:
        """Half the width of the 95 % interval; none for a single seed."""
        return None if self.by_seeds is None else self._margin(self.seeds)

    @property
    def verdict(self) -> str:
        """Of a difference: ``above``, ``below``, or ``too close to tell``: the interval has zero, or there is none."""
        if self.margin is None or self.value == 0 or abs(self.value) <= self.margin:
            return "too close to tell"
        return "above" if self.value > 0 else "below"

    @property
    def seeds_that_tell(self) -> int | None:
        """How many would tell a difference from zero, if it and its spread stay as they are; none if none would."""
        if self.by_seeds is None or self._margin(MOST_SEEDS) >= abs(self.value):
            return None
        return next(n for n in range(2, MOST_SEEDS + 1) if self._margin(n) < abs(self.value))

    @property
    def images_that_tell(self) -> int | None:
        """More than how many it needs where no number of seeds would tell; none where more images are of no use."""
        if not self.images or self.value == 0 or NORMAL * self.by_images < abs(self.value):
            return None
        return math.ceil(self.images * (NORMAL * self.by_images / self.value) ** 2)

    def _margin(self, seeds: int) -> float:
        """What it would be with so many seeds of the same spread."""
        assert self.by_seeds is not None
        of_seeds = _student(seeds - 1) * self.by_seeds * math.sqrt(self.seeds / seeds)
        return math.hypot(of_seeds, NORMAL * self.by_images)


def estimate(values: Sequence[float], hits: Sequence[Hits] = ()) -> Estimate | None:
    """The mean of a figure that each seed gives.

    Args:
        values: One a seed.
        hits: Where the figure is an accuracy, which images each seed is right on, in the order of `values`.

    Returns:
        None where there are no values.
    """
    return _estimate(values, [one.shares for one in hits])


def compare(
    first: Sequence[float],
    second: Sequence[float],
    first_hits: Sequence[Hits] = (),
    second_hits: Sequence[Hits] = (),
) -> Estimate | None:
    """The mean of first − second, paired by seed and by image.

    Args:
        first: A result a seed.
        second: Likewise, of the same seeds in the same order.
        first_hits: Where results are accuracies, which images each seed is right on.
        second_hits: Likewise, of the same images.

    Returns:
        None where there are no results.

    Raises:
        ValueError: The two are not of equal length, or not of the same images.
    """
    differences = [ours - theirs for ours, theirs in zip(first, second, strict=True)]
    if not first_hits or not second_hits:
        return _estimate(differences, [])
    pairs = zip(first_hits, second_hits, strict=True)
    return _estimate(differences, [ours.shares - theirs.shares for ours, theirs in pairs])


def _estimate(values: Sequence[float], by_image: Sequence[NDArray[Any]]) -> Estimate | None:
    if not values:
        return None
    n = len(values)
    by_seeds = stdev(values) / math.sqrt(n) if n > 1 else None
    if not by_image:
        return Estimate(fmean(values), n, by_seeds)
    import numpy as np

    means = np.mean(by_image, axis=0)
    images = len(means)
    by_images = float(means.std(ddof=1)) / math.sqrt(images) if images > 1 else 0.0
    return Estimate(fmean(values), n, by_seeds, images, by_images)


@cache
def _student(freedom: int) -> float:
    """The 97.5 % quantile of Student's distribution."""
    from scipy.special import stdtrit  # the quantile alone: scipy.stats takes a second to import

    return float(stdtrit(freedom, (1 + LEVEL) / 2))
