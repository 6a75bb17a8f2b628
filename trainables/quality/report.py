"""All findings of a data set, with the figures that they stand beside."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.facts import Facts
from trainables.data.listing import SPLITS, Listing
from trainables.quality.finding import Finding, Severity

VERSION = 1
"""Of the JSON: raised when a name changes its meaning or goes."""


@dataclass(frozen=True)
class Measures:
    """Of all readable images.

    Args:
        side: Least, median and greatest shorter side, pixels.
        aspect: Least, median and greatest width over height.
        mean: Of each channel, in [0, 1].
        deviation: Standard deviation of each channel over all pixels of all images, in [0, 1].
    """

    side: tuple[float, float, float]
    aspect: tuple[float, float, float]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, facts: Facts) -> Measures | None:
        """From the facts of all images; none where no image can be read."""
        rows = np.flatnonzero(facts.readable)
        if not len(rows):
            return None
        width, height = facts.width[rows].astype(float), facts.height[rows].astype(float)
        mean, deviation = facts.mean[rows].astype(float), facts.deviation[rows].astype(float)
        of_all = mean.mean(axis=0)
        spread = np.sqrt(np.maximum((deviation**2 + mean**2).mean(axis=0) - of_all**2, 0))
        return cls(
            _range(np.minimum(width, height)), _range(width / height), _rounded(of_all), _rounded(spread)
        )


def _range(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values.min()), float(np.median(values)), float(values.max())


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


@dataclass(frozen=True)
class Report:
    """What checking a data set has shown.

    Args:
        name: The data set, as the user called it.
        listing: Its images.
        readable: How many of them can be used.
        findings: Worst first.
        skipped: Checks that were not made, with the reason: (kind, why).
        measures: What the readable images measure.
    """

    name: str
    listing: Listing
    readable: int
    findings: tuple[Finding, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    measures: Measures | None = None

    @property
    def meaningless(self) -> bool:
        """Whether training on the data as they are would be meaningless."""
        return any(finding.severity is Severity.BLOCKER for finding in self.findings)

    def images_by(self) -> dict[str, dict[str, int]]:
        """Class → split → images, splits that the source does not name as ``unassigned``."""
        split_names = (*SPLITS, "unassigned")  # UNASSIGNED is -1: the last
        counted = Counter(zip(self.listing.labels.tolist(), self.listing.splits.tolist(), strict=True))
        return {
            name: {
                split: counted[label, number if split != "unassigned" else -1]
                for number, split in enumerate(split_names)
                if counted[label, number if split != "unassigned" else -1]
            }
            for label, name in enumerate(self.listing.classes)
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: images by their keys."""
        return {
            "version": VERSION,
            "data": self.name,
            "images": len(self.listing),
            "readable": self.readable,
            "classes": self.images_by(),
            "meaningless": self.meaningless,
            "measures": None if self.measures is None else asdict(self.measures),
            "findings": [self._finding(finding) for finding in self.findings],
            "skipped": [{"kind": kind, "reason": reason} for kind, reason in self.skipped],
        }

    def _finding(self, finding: Finding) -> dict[str, Any]:
        listing = self.listing
        return {
            "kind": finding.kind,
            "severity": finding.severity.name.lower(),
            "count": finding.count,
            "unit": finding.unit,
            "says": finding.says,
            "advice": finding.advice,
            "figures": dict(finding.figures),
            "groups": [
                [
                    {
                        "image": listing.keys[mention.row],
                        "class": listing.classes[listing.labels[mention.row]],
                        "split": SPLITS[listing.splits[mention.row]]
                        if listing.splits[mention.row] >= 0
                        else None,
                        "note": mention.note,
                    }
                    for mention in group
                ]
                for group in finding.groups
            ],
        }
