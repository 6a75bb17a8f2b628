"""Images that look unlike all others, or unlike all others of their class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from trainables.quality.finding import Finding, Severity, Skipped, one_each, share
from trainables.quality.robust import FAR, modified_z
from trainables.quality.subject import Subject

ENOUGH = 20
"""Images below which the middle of a set says little."""

IN_CLASS = 8
"""Images of a class below which its middle says little."""


def find_outliers(subject: Subject) -> Iterable[Finding | Skipped]:
    """By brightness, contrast and sharpness over all images; by a network's features within each class."""
    facts, rows = subject.facts, subject.readable
    if len(rows) >= ENOUGH:
        contrast = np.log(facts.contrast[rows].astype(float) + 1e-3)
        sharpness = np.log(facts.sharpness[rows].astype(float) + 1e-6)
        for kind, values, least, low, high in (
            ("odd_brightness", facts.brightness[rows], 0.02, "dark", "bright"),
            ("odd_contrast", contrast, 0.1, "flat", "full of contrast"),
            ("odd_sharpness", sharpness, 0.15, "blurred", "sharp or noisy"),
        ):
            yield from _odd(subject, rows, np.asarray(values, float), kind, least, low, high)
    if subject.features is None:
        yield Skipped("odd_features", "it needs a pretrained model: --model NAME")
    else:
        yield from _far(subject, subject.features)


def _odd(
    subject: Subject,
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    kind: str,
    least: float,
    low: str,
    high: str,
) -> Iterable[Finding]:
    score = modified_z(values, least)
    far = np.flatnonzero(np.abs(score) > FAR)
    if not len(far):
        return
    far = far[np.argsort(-np.abs(score[far]), kind="stable")]
    of = {int(rows[place]): float(score[place]) for place in far}
    lows = int((score[far] < 0).sum())
    parts = [f"{count} very {word}" for count, word in ((lows, low), (len(far) - lows, high)) if count]
    yield Finding(
        kind=kind,
        severity=Severity.NOTICE,
        says=f"{share(len(far), len(rows))} lie far from all others: {' and '.join(parts)}.",
        advice="Look at them: spoilt exposures and scans are better left out, rare but true ones kept.",
        count=len(far),
        groups=one_each(of, lambda row: f"{low if of[row] < 0 else high}, {abs(of[row]):.1f} deviations"),
    )


def _far(subject: Subject, features: NDArray[np.float32]) -> Iterable[Finding]:
    """Distance to the middle of an image's own class, in the network's features."""
    rows, labels = subject.readable, subject.listing.labels
    scores: dict[int, float] = {}
    for label in np.unique(labels[rows]).tolist():
        members = rows[labels[rows] == label]
        if len(members) < IN_CLASS:
            continue
        of_class = features[members].astype(np.float64)
        distance = np.linalg.norm(of_class - np.median(of_class, axis=0), axis=1)
        score = modified_z(np.log(distance + 1e-9), 0.05)
        scores |= {int(row): float(z) for row, z in zip(members, score, strict=True) if z > FAR}
    if scores:
        worst = sorted(scores, key=lambda row: -scores[row])
        classes = subject.listing.classes
        yield Finding(
            kind="odd_features",
            severity=Severity.NOTICE,
            says=f"{share(len(worst), len(rows))} look to the network unlike all others of their class.",
            advice="Look at them: some show something else than their class says.",
            count=len(worst),
            groups=one_each(worst, lambda row: f"{classes[labels[row]]}, {scores[row]:.1f} deviations"),
        )
