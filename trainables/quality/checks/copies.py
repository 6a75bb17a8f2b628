"""Images that are there more than once, and copies that bear different labels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from trainables.quality.finding import Finding, Mention, Severity, share
from trainables.quality.subject import Subject

MANY = 0.02
"""Share of the images above which copies are a warning: what they teach is taught twice."""


def find_copies(subject: Subject) -> Iterable[Finding]:
    """Exact duplicates, near-duplicates, and groups of either whose images are of several classes."""
    exact = groups_of(subject.same_bytes, subject.readable)
    near = [
        rows
        for rows in groups_of(subject.copies, subject.readable)
        if len(np.unique(subject.same_bytes[rows])) > 1
    ]
    for kind, found, what in (
        ("exact_duplicates", exact, "are bytes for bytes the same as another"),
        ("near_duplicates", near, "are near-duplicates: one scene scaled, compressed, cut or taken twice"),
    ):
        if found:
            surplus = sum(len(rows) for rows in found)
            yield Finding(
                kind=kind,
                severity=Severity.WARNING if surplus > MANY * len(subject.readable) else Severity.NOTICE,
                says=f"{share(surplus, len(subject.readable))} {what} ({_groups(len(found))}).",
                advice="Keep one of each group; a study keeps those of a group on one side of its splits.",
                count=len(found),
                unit="group",
                groups=mentioned(subject, found),
                figures=(("images", surplus),),
            )
    yield from _conflicts(subject)


def _conflicts(subject: Subject) -> Iterable[Finding]:
    labels = subject.listing.labels
    found = [rows for rows in groups_of(subject.copies, subject.readable) if len(np.unique(labels[rows])) > 1]
    if found:
        images = sum(len(rows) for rows in found)
        yield Finding(
            kind="conflicting_labels",
            severity=Severity.WARNING,
            says=f"{_groups(len(found)).capitalize()} of copies {'bears' if len(found) == 1 else 'bear'} different "
            f"labels ({share(images, len(subject.readable))}).",
            advice="At most one label of each group is right: mend the others, or remove the group.",
            count=len(found),
            unit="group",
            groups=mentioned(subject, found),
            figures=(("images", images),),
        )


def groups_of(numbers: NDArray[np.int64], rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The groups of two or more among `rows`, the largest first."""
    order = rows[np.argsort(numbers[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(numbers[order])) + 1
    parts = [part for part in np.split(order, starts) if len(part) > 1]
    return sorted(parts, key=lambda part: (-len(part), int(part[0])))


def mentioned(subject: Subject, found: list[NDArray[np.int64]]) -> tuple[tuple[Mention, ...], ...]:
    """Groups of images with the class that each has."""
    listing = subject.listing
    return tuple(
        tuple(Mention(int(row), listing.classes[listing.labels[row]]) for row in rows) for rows in found
    )


def _groups(count: int) -> str:
    return f"{count} group" if count == 1 else f"{count:,} groups"
