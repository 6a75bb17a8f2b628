"""Classes that cannot be learnt, or not be judged."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trainables.data.listing import SPLITS
from trainables.quality.finding import Finding, Severity
from trainables.quality.subject import Subject

FEW = 10
"""Images to learn from below which a class's figures are chance: one of them is a tenth of its accuracy."""


def find_classes(subject: Subject) -> Iterable[Finding]:
    """Too few classes, classes of too few images, and classes that a split of the source's lacks."""
    listing = subject.listing
    counts = np.bincount(listing.labels[subject.learnt], minlength=len(listing.classes))
    usable = int((counts >= 2).sum())
    if usable < 2:
        yield Finding(
            kind="too_few_classes",
            severity=Severity.BLOCKER,
            says=f"{usable} of {len(listing.classes)} classes has two images or more to learn from; two must.",
            advice="Give at least two classes with some images each; ten images a class are a beginning.",
            count=usable,
            unit="class",
        )
    yield from _small(subject, counts)
    yield from _missing(subject)


def _small(subject: Subject, counts: np.ndarray) -> Iterable[Finding]:
    names = subject.listing.classes
    small = [label for label in np.argsort(counts, kind="stable").tolist() if counts[label] < FEW]
    if small:
        shown = ", ".join(f"{names[label]} ({counts[label]})" for label in small[:8])
        more = f" and {len(small) - 8} more" if len(small) > 8 else ""
        yield Finding(
            kind="small_classes",
            severity=Severity.WARNING,
            says=f"{_are(len(small), len(names))} fewer than {FEW} readable images to learn from: {shown}{more}.",
            advice="Collect more of them, join them with a class that means the same, or leave them out; what a "
            "study says of them is chance.",
            count=len(small),
            unit="class",
            figures=tuple((names[label], int(counts[label])) for label in small),
        )


def _missing(subject: Subject) -> Iterable[Finding]:
    listing = subject.listing
    for number, split in enumerate(SPLITS):
        there = subject.facts.readable & (listing.splits == number)
        if not there.any() or (split == "train" and (listing.splits < 0).any()):
            continue
        counts = np.bincount(listing.labels[there], minlength=len(listing.classes))
        missing = np.flatnonzero(counts == 0).tolist()
        if not missing:
            continue
        shown = ", ".join(listing.classes[label] for label in missing[:8])
        more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
        trains = split == "train"
        yield Finding(
            kind=f"missing_in_{split}",
            severity=Severity.WARNING if trains else Severity.NOTICE,
            says=f"{_are(len(missing), len(listing.classes))} no readable image in {split}: {shown}{more}.",
            advice="They are never learnt and always wrong: give images of them, or leave the class out."
            if trains
            else f"What {split} says holds for the other classes only; move some images of these there.",
            count=len(missing),
            unit="class",
            figures=(("classes", [listing.classes[label] for label in missing]),),
        )


def _are(count: int, of: int) -> str:
    return f"{count} of {of} classes {'has' if count == 1 else 'have'}"
