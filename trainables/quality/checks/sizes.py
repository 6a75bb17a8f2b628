"""Images of another size or another shape than the rest."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trainables.quality.finding import Finding, Severity, one_each, share
from trainables.quality.subject import Subject

SMALLER, LARGER = 4.0, 8.0
"""Times smaller or larger than the median side that is odd: an icon among photographs, a scan among icons."""

LONG = 3.0
"""Longer over shorter side from which a square from the middle shows less than a third of the picture."""


def find_sizes(subject: Subject) -> Iterable[Finding]:
    """Images far smaller or larger than the others, and long narrow ones."""
    facts, rows = subject.facts, subject.readable
    if not len(rows):
        return
    width, height = facts.width[rows].astype(float), facts.height[rows].astype(float)
    short = np.minimum(width, height)
    median = float(np.median(short))

    def size(row: int) -> str:
        return f"{facts.width[row]}×{facts.height[row]}"

    for kind, chosen, what, times in (
        ("small_images", short * SMALLER <= median, "smaller", SMALLER),
        ("large_images", short >= median * LARGER, "larger", LARGER),
    ):
        if chosen.any():
            worst = rows[chosen][np.argsort(short[chosen] * (1 if what == "smaller" else -1), kind="stable")]
            yield Finding(
                kind=kind,
                severity=Severity.NOTICE,
                says=f"{share(len(worst), len(rows))} are at least {times:.0f} times {what} than the median, whose "
                f"shorter side has {median:.0f} pixels.",
                advice="Look whether they belong to the set: thumbnails are blurred when they are enlarged."
                if what == "smaller"
                else "Look whether they show the same thing as the others, at the same distance.",
                count=len(worst),
                groups=one_each(worst, size),
                figures=(("median_side", median),),
            )
    ratio = np.maximum(width, height) / short
    long = (ratio >= LONG) & (ratio >= 1.5 * np.median(ratio))
    if long.any():
        worst = rows[long][np.argsort(-ratio[long], kind="stable")]
        yield Finding(
            kind="extreme_aspect",
            severity=Severity.NOTICE,
            says=f"{share(len(worst), len(rows))} are at least {LONG:.0f} times as long as they are wide: a square "
            "from the middle shows less than a third of them.",
            advice="Cut them to what is meant, or take all of each picture: --set fit=pad.",
            count=len(worst),
            groups=one_each(worst, size),
        )
