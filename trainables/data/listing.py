"""Which images a source has, before any is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spaces import InputError

SPLITS = ("train", "val", "test")
"""The splits of a data set, in the order in which numbers stand for them."""

UNASSIGNED = -1
"""In place of a split's number: the source does not say; the project splits."""


@dataclass(frozen=True)
class Sample:
    """One image as a source names it.

    Args:
        key: What people call it, unique in the source: a path relative to the source's folder, or an index.
        label: Its class, by name.
        split: ``train``, ``val`` or ``test`` where the source says so, else none.
        group: What must stay on one side of a split (a patient, a burst of photographs), or none.
    """

    key: str
    label: str
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Listing:
    """All samples of a source, as columns. The order is the source's and must be the same each time.

    Args:
        keys: [N].
        classes: Names of the classes; labels are indices into them.
        labels: [N], int64.
        splits: Index into `SPLITS`, or `UNASSIGNED`, [N], int8.
        groups: Number of each image's group, or `UNASSIGNED`, [N], int64.
    """

    keys: tuple[str, ...]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    splits: NDArray[np.int8]
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def of(cls, samples: Iterable[Sample], classes: Sequence[str] | None = None) -> Listing:
        """From samples, one after the other.

        Args:
            samples: In the source's order.
            classes: Their classes where the source has an order of its own; else the names, sorted.

        Raises:
            InputError: A key that is there twice, a split of another name, or a label that is no class.
        """
        listed = list(samples)
        names = tuple(classes) if classes is not None else _in_order({sample.label for sample in listed})
        index = {name: number for number, name in enumerate(names)}
        groups: dict[str, int] = {}
        seen: set[str] = set()
        labels = np.empty(len(listed), np.int64)
        splits = np.full(len(listed), UNASSIGNED, np.int8)
        group_of = np.full(len(listed), UNASSIGNED, np.int64)
        for row, sample in enumerate(listed):
            if sample.key in seen:
                raise InputError(f"each image must be listed once, but {sample.key!r} is there twice")
            seen.add(sample.key)
            if sample.label not in index:
                raise InputError(
                    f"a label must be one of the classes, but {sample.key!r} has {sample.label!r}"
                )
            labels[row] = index[sample.label]
            if sample.split is not None:
                if sample.split not in SPLITS:
                    raise InputError(
                        f"a split must be one of {', '.join(SPLITS)}, but {sample.key!r} has {sample.split!r}"
                    )
                splits[row] = SPLITS.index(sample.split)
            if sample.group is not None:
                group_of[row] = groups.setdefault(sample.group, len(groups))
        return cls(tuple(sample.key for sample in listed), names, labels, splits, group_of)


def _in_order(names: set[str]) -> tuple[str, ...]:
    """Sorted; numbers by their values, so that 10 comes after 9."""
    numbers = all(name.isascii() and name.isdecimal() for name in names)
    return tuple(sorted(names, key=lambda name: (int(name), name)) if numbers else sorted(names))
