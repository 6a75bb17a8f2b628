"""Classes of very different sizes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trainables.quality.finding import Finding, Severity
from trainables.quality.subject import Subject

UNEVEN, VERY_UNEVEN = 5.0, 20.0
"""Images of the largest class over those of the smallest: from where on it is worth a word, and a warning.
Buda et al. (Neural Networks, 2018) find little loss below 10 and much from 20 to 100."""


def find_balance(subject: Subject) -> Iterable[Finding]:
    """How many times larger the largest class is than the smallest one that has images."""
    listing = subject.listing
    counts = np.bincount(listing.labels[subject.learnt], minlength=len(listing.classes))
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return
    largest, smallest = present[np.argmax(counts[present])], present[np.argmin(counts[present])]
    ratio = counts[largest] / counts[smallest]
    if ratio < UNEVEN:
        return
    names = listing.classes
    yield Finding(
        kind="class_imbalance",
        severity=Severity.WARNING if ratio >= VERY_UNEVEN else Severity.NOTICE,
        says=f"The largest class, {names[largest]} ({counts[largest]:,}), has {ratio:.0f} times the images of the "
        f"smallest, {names[smallest]} ({counts[smallest]:,}).",
        advice="Let the search try balanced sampling and class weights (--space recipe, or "
        "--set sampling=balanced), and look at the recall of each class, not at the accuracy.",
        count=len(present),
        unit="class",
        figures=(
            ("ratio", round(float(ratio), 2)),
            ("largest", names[largest]),
            ("smallest", names[smallest]),
        ),
    )
