"""How good a network is beyond its accuracy, in numbers that are few enough to keep: readable without torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from pydantic import TypeAdapter

from trainables.soundness.figures import Bin, Figures, Reliability

GRID = tuple(step / 20 for step in range(1, 21))
"""Shares of the images, the surest first, of which the accuracy is kept."""

MOST_CONFUSIONS = 400
"""Pairs of classes that are kept, the most frequent ones: all that there can be of twenty classes."""

WEAK = 0.05
"""How often a class may be called weak where all are alike."""


@dataclass(frozen=True)
class ClassCounts:
    """What became of one class.

    Args:
        images: Its images, once for each network.
        guessed: Images that were given this class.
        right: Of both.
    """

    images: int
    guessed: int
    right: int

    @property
    def recall(self) -> float | None:
        """The share of its images that is recognised; none where it has none."""
        return self.right / self.images if self.images else None

    @property
    def precision(self) -> float | None:
        """The share of what is given this class that is of it; none where nothing is."""
        return self.right / self.guessed if self.guessed else None


@dataclass(frozen=True)
class Confusion:
    """Images of one class that were given another.

    Args:
        true: Their class.
        guessed: The one that they were given.
        images: How many, once for each network.
    """

    true: int
    guessed: int
    images: int


@dataclass(frozen=True)
class Deferral:
    """What comes of leaving the images that a network is least sure of to somebody else.

    Args:
        threshold: Least confidence that is accepted: on the validation split it halves the share of errors.
        coverage: Share of this split's images that are accepted.
        accuracy: Share of these that is right.
    """

    threshold: float
    coverage: float
    accuracy: float


@dataclass(frozen=True)
class Soundness:
    """Networks of one recipe on one split.

    Args:
        networks: How many; figures are means over them, counts are sums.
        images: Of the split.
        labels: Names of the classes.
        classes: A row each.
        confusions: The most frequent ones first, `MOST_CONFUSIONS` at most.
        before: Of probabilities as they are.
        chance: The calibration error that a network which is as often right as it says stays below 19 times of 20, on
            so few images.
        coverage: Accuracy of the surest images, a share of `GRID` each.
        temperature: What outputs are divided by for `after`, fitted on validation images (the geometric mean); none
            where one of them had nothing that could be fitted.
        after: Of probabilities with it; likewise.
        deferral: None where all validation images are right, or nothing of the split is accepted.
    """

    networks: int
    images: int
    labels: tuple[str, ...]
    classes: tuple[ClassCounts, ...]
    confusions: tuple[Confusion, ...]
    before: Figures
    chance: float
    coverage: tuple[float, ...]
    temperature: float | None = None
    after: Figures | None = None
    deferral: Deferral | None = None

    @property
    def accuracy(self) -> float:
        """In [0, 1]."""
        return sum(one.right for one in self.classes) / (self.networks * self.images)

    def weak(self) -> list[int]:
        """Classes that are recognised more seldom than all the others together, beyond chance; the weakest first.

        An image that all networks miss is one piece of evidence, not as many as there are networks: counts are
        means over these. Fisher's exact test, one-sided, with Holm's correction over the classes.
        """
        from scipy.stats import hypergeom

        rows = [(round(one.images / self.networks), one.right / self.networks) for one in self.classes]
        whole, hits = sum(size for size, _ in rows), sum(right for _, right in rows)
        chances = sorted(
            (float(hypergeom.cdf(math.ceil(right), whole, round(hits), size)), index)
            for index, (size, right) in enumerate(rows)
            if 0 < size < whole
        )
        found = []
        for place, (chance, index) in enumerate(chances):
            if chance > WEAK / (len(chances) - place):
                break
            found.append(index)
        return sorted(found, key=lambda index: self.classes[index].recall or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """As plain data that JSON can carry."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Soundness:
        """What `to_dict` gave."""
        return TypeAdapter(cls).validate_python(found)


def pooled(parts: Sequence[Soundness]) -> Soundness:
    """Several networks of one recipe, on the same images, as one.

    Args:
        parts: At least one, all of the same classes.
    """
    if len(parts) == 1:
        return parts[0]
    first, weights = parts[0], [one.networks for one in parts]
    pairs: Counter[tuple[int, int]] = Counter()
    for part in parts:
        for one in part.confusions:
            pairs[one.true, one.guessed] += one.images
    temperatures = [one.temperature for one in parts if one.temperature is not None]
    afters = [one.after for one in parts if one.after is not None]
    whole = len(temperatures) == len(afters) == len(parts)
    deferrals = [one.deferral for one in parts if one.deferral is not None]
    return Soundness(
        networks=sum(weights),
        images=first.images,
        labels=first.labels,
        classes=tuple(
            ClassCounts(*(sum(getattr(one, name) for one in row) for name in ("images", "guessed", "right")))
            for row in zip(*(one.classes for one in parts), strict=True)
        ),
        confusions=tuple(
            Confusion(true, guessed, images)
            for (true, guessed), images in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
        )[:MOST_CONFUSIONS],
        before=_mean_figures([one.before for one in parts], weights),
        chance=_mean([one.chance for one in parts], weights),
        coverage=tuple(_mean(row, weights) for row in zip(*(one.coverage for one in parts), strict=True)),
        temperature=math.exp(_mean([math.log(one) for one in temperatures], weights)) if whole else None,
        after=_mean_figures(afters, weights) if whole else None,
        deferral=Deferral(
            *(
                fmean(getattr(one, name) for one in deferrals)
                for name in ("threshold", "coverage", "accuracy")
            )
        )
        if len(deferrals) == len(parts)
        else None,
    )


def _mean(values: Sequence[float], weights: Sequence[int]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _mean_figures(found: Sequence[Figures], weights: Sequence[int]) -> Figures:
    """Errors are those of a network, as a mean; the diagram is of all their images together."""
    diagrams = [one.reliability for one in found]
    return Figures(
        nll=_mean([one.nll for one in found], weights),
        brier=_mean([one.brier for one in found], weights),
        even_error=_mean([one.even_error for one in found], weights),
        classwise_error=_mean([one.classwise_error for one in found], weights),
        reliability=Reliability(
            bins=tuple(_mean_bin(row) for row in zip(*(one.bins for one in diagrams), strict=True)),
            ece=_mean([one.ece for one in diagrams], weights),
            mce=_mean([one.mce for one in diagrams], weights),
        ),
    )


def _mean_bin(row: Sequence[Bin]) -> Bin:
    count = sum(one.count for one in row)

    def mean(name: str) -> float | None:
        return sum((getattr(one, name) or 0.0) * one.count for one in row) / count if count else None

    return Bin(row[0].lower, row[0].upper, count, mean("confidence"), mean("accuracy"))
