"""Images that a split is judged by, and that the training has seen all the same."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from trainables.data.listing import SPLITS, UNASSIGNED
from trainables.quality.checks.copies import groups_of, mentioned
from trainables.quality.finding import Finding, Severity
from trainables.quality.subject import Subject

HALF = 0.5
"""Share of a split that leaks above which its figures say nothing of new images."""


def find_leakage(subject: Subject) -> Iterable[Finding]:
    """Copies, and groups of the source's own, in several of the splits that the source names."""
    given = subject.readable[subject.listing.splits[subject.readable] != UNASSIGNED]
    if len(np.unique(subject.listing.splits[given])) < 2:
        return
    yield from _across(
        subject, subject.copies, given, "leakage", "of copies",
        "A study leaves out the copies that would be learnt from; remove them at the source, so that others' "
        "figures on this data set are true as well.",
    )  # fmt: skip
    grouped = given[subject.listing.groups[given] != UNASSIGNED]
    yield from _across(
        subject, subject.listing.groups, grouped, "group_leakage", "of the group column",
        "Move each group to one side: a model that has seen a patient or a burst knows its other images.",
    )  # fmt: skip


def _across(
    subject: Subject, numbers: NDArray[np.int64], rows: NDArray[np.int64], kind: str, what: str, advice: str
) -> Iterable[Finding]:
    splits = subject.listing.splits
    found = [part for part in groups_of(numbers, rows) if len(np.unique(splits[part])) > 1]
    if not found:
        return
    images = np.concatenate(found)
    leaking = {
        name: int((splits[images] == number).sum()) / max(int((splits[rows] == number).sum()), 1)
        for number, name in enumerate(SPLITS)
        if name != "train" and (splits[images] == number).any()
    }
    shares = " and ".join(f"{100 * share:.2g} % of {name}" for name, share in leaking.items())
    yield Finding(
        kind=kind,
        severity=Severity.BLOCKER if max(leaking.values()) > HALF else Severity.WARNING,
        says=f"{len(found):,} group{'s' if len(found) != 1 else ''} {what} "
        f"{'lies' if len(found) == 1 else 'lie'} in more than one split: {shares} "
        "have been seen elsewhere.",
        advice=advice,
        count=len(found),
        unit="group",
        groups=mentioned(subject, found),
        figures=tuple((f"share_of_{name}", round(share, 4)) for name, share in leaking.items()),
    )
