"""A data set from a source: its pictures from the store, its splits with all that holds images together."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spaces import InputError
from trainables.data import duplicates
from trainables.data.choices import SHARE
from trainables.data.dataset import Dataset, Images
from trainables.data.listing import SPLITS, UNASSIGNED
from trainables.data.parallel import Progress
from trainables.data.preprocessing import Preprocessing
from trainables.data.sources.source import Source
from trainables.data.splits import Assignment, assign, named
from trainables.data.store import Store, open_store
from trainables.data.store.layout import PARTS, digest

FEW = 500
"""Training images below which an epoch passes over them more than once: validating often would cost more."""


@dataclass(frozen=True)
class Reading:
    """How a source becomes a data set.

    Args:
        preprocessing: What becomes of each picture.
        val_share: Of the images, in (0, 1), where the source has no such split.
        test_share: Likewise.
        duplicates: Whether near-duplicates are kept on one side of each split.
        progress: Told (images done, of how many) while pictures are decoded.
        tell: Told in a few words what takes long.
    """

    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(size=96))
    val_share: float = SHARE
    test_share: float = SHARE
    duplicates: Literal["apart", "as_given"] = "apart"
    progress: Progress | None = None
    tell: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class StoreOrigin:
    """A data set's images as its source lists them, and where each went.

    Args:
        store: With listing and facts.
        assignment: Of its images to splits.
    """

    store: Store
    assignment: Assignment

    @cached_property
    def fingerprint(self) -> str:
        """Of what the images hold, their labels and their splits; what it takes to decode them is not in it."""
        listing = self.store.listing
        columns = zip(
            listing.keys,
            (listing.classes[label] for label in listing.labels),
            (named(split) for split in self.assignment.splits.tolist()),
            self.store.facts.digest.tolist(),
            strict=True,
        )
        return digest(text for row in columns for text in row)

    def table(self) -> str:
        """``image,class,split,reason`` as CSV: which image is where, and why one is nowhere."""
        listing, facts = self.store.listing, self.store.facts
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["image", "class", "split", "reason"])
        for row, key in enumerate(listing.keys):
            reason = facts.reason(row) or str(facts.fault[row])
            if self.assignment.leaking[row]:
                reason = "a copy of it is in a split that judges it"
            label = listing.classes[listing.labels[row]]
            text = [key, label, named(int(self.assignment.splits[row])), reason]
            writer.writerow([part.encode("utf-8", "backslashreplace").decode() for part in text])
        return out.getvalue()

    def names(self, images: Images) -> list[str] | None:
        """Each image's key in its source; none of images that were copied out of the store's files."""
        store = self.store
        part = next((part for part, pixels in store.files.items() if pixels is images.pixels), None)
        if part is None:
            return None
        listed = np.flatnonzero(store.facts.readable & (store.parts == PARTS.index(part)))
        numbers = dict(zip(store.rows[listed].tolist(), listed.tolist(), strict=True))
        rows = range(len(images)) if images.rows is None else images.rows.tolist()
        return [store.listing.keys[numbers[row]] for row in rows]


def read_dataset(name: str, source: Source, reading: Reading, seed: int = 0) -> Dataset:
    """The data set that `source` holds, decoded once and split by `seed`.

    Args:
        name: As the user calls it.
        source: Its images.
        reading: How it becomes a data set.
        seed: Of the splits that the source does not have.

    Raises:
        InputError: None of its images can be read, it has fewer than two classes, or a split would be empty.
    """
    store = open_store(name, source, reading.preprocessing, reading.progress, reading.tell)
    listing, readable = store.listing, store.facts.readable
    if not readable.any():
        raise InputError(
            f"data {name!r} must have images that can be read, but of {len(listing):,} none can; the first, "
            f"{listing.keys[0]!r}: {store.facts.reason(0)}"
        )
    if len(np.unique(listing.labels[readable])) < 2:
        raise InputError(f"data {name!r} must have images of two classes or more, but has {_classes(store)}")
    copies = copies_of(store, reading.tell) if reading.duplicates == "apart" else None
    assignment = assign(
        listing, readable, copies, val_share=reading.val_share, test_share=reading.test_share, seed=seed
    )
    splits = [_images(store, assignment, split) for split in range(len(SPLITS))]
    for split, images in zip(SPLITS, splits, strict=True):
        if not len(images):
            raise InputError(
                f"each split of data {name!r} must have images, but {split} has none of the "
                f"{int(readable.sum()):,}; {_way_out(assignment)}"
            )
    train, val, test = splits
    return Dataset(
        name=name,
        classes=listing.classes,
        train=train,
        val=val,
        test=test,
        invariances=source.invariances,
        repeats=max(1, round(FEW / len(train))),
        remarks=tuple(_remarks(store, assignment)),
        origin=StoreOrigin(store, assignment),
    )


def copies_of(store: Store, tell: Callable[[str], None] = lambda text: None) -> NDArray[np.int64]:
    """Number of each image's near-duplicates, [N], found once a store."""

    def find() -> NDArray[np.int64]:
        tell("looking for near-duplicates")
        rows = np.flatnonzero(store.facts.readable)
        sides = np.minimum(store.facts.width, store.facts.height)
        return duplicates.near_groups(store.facts.phash, store.picture, rows, sides=sides)

    return store.remembered(f"copies-{duplicates.VERSION}", find)


def _images(store: Store, assignment: Assignment, split: int) -> Images:
    """One split: rows of the one file that its pictures are in."""
    chosen = assignment.rows(split)
    parts = np.unique(store.parts[chosen])
    assert len(parts) <= 1  # what the project splits is all in one file, and no split of the source's moves
    file = PARTS[int(parts[0])] if len(parts) else next(iter(store.files))
    return Images(
        pixels=store.files[file],
        labels=store.listing.labels[chosen],
        rows=store.rows[chosen],
        size=store.preprocessing.size,
        clusters=assignment.clusters[chosen],
    )


def _classes(store: Store) -> str:
    present = np.unique(store.listing.labels[store.facts.readable])
    return "one: " + ", ".join(repr(store.listing.classes[label]) for label in present.tolist())


def _way_out(assignment: Assignment) -> str:
    if len(np.unique(assignment.clusters)) < len(assignment.clusters):
        return "groups and near-duplicates stay together: give more of them, or other shares"
    return "give more images, or other shares (val_share, test_share)"


def _images_are(images: int) -> str:
    """``1 image is``, ``2 images are``."""
    return "1 image is" if images == 1 else f"{images:,} images are"


def _remarks(store: Store, assignment: Assignment) -> list[str]:
    """What the user should know of the images that are not used."""
    listing, broken = store.listing, np.flatnonzero(~store.facts.readable)
    remarks = []
    if len(broken):
        first = int(broken[0])
        remarks.append(
            f"{len(broken):,} of {len(listing):,} images cannot be read and are left out, the first "
            f"{listing.keys[first]!r}: {store.facts.reason(first) or store.facts.fault[first]}"
        )
    leaking = int(assignment.leaking.sum())
    if leaking:
        remarks.append(
            f"{_images_are(leaking)} left out, since a split that judges what is learnt from them has a copy "
            "(duplicates=as_given keeps them)"
        )
    unassigned = int((listing.splits == UNASSIGNED).sum())
    if 0 < unassigned < len(listing):
        remarks.append(f"{unassigned:,} images of no split are taken for training")
    return remarks
