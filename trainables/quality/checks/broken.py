"""Files that give no picture."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trainables.data.facts import TRUNCATED, UNREADABLE
from trainables.quality.finding import Finding, Severity, one_each, share
from trainables.quality.subject import Subject

MANY = 0.1
"""Share of broken files above which something went wrong with all of them (a copy that was cut short, say)."""

ADVICE = {
    UNREADABLE: "Remove them, or replace them by images; a study leaves them out and says so.",
    TRUNCATED: "Fetch or copy them again: their ends are missing. A study leaves them out and says so.",
}


def find_broken(subject: Subject) -> Iterable[Finding]:
    """Unreadable and truncated files, with what the decoder said of each."""
    facts, total = subject.facts, len(subject.facts)
    for fault in (UNREADABLE, TRUNCATED):
        rows = np.flatnonzero(facts.fault == fault)
        if not len(rows):
            continue
        none_left = not facts.readable.any()
        severity = Severity.BLOCKER if none_left else Severity.WARNING
        if len(rows) < MANY * total and fault == TRUNCATED and len(rows) == 1 and total > 1000:
            severity = Severity.NOTICE
        yield Finding(
            kind=fault,
            severity=severity,
            says=f"{share(len(rows), total)} {'is' if len(rows) == 1 else 'are'} {fault}"
            + ("; no image is left." if none_left else "."),
            advice=ADVICE[fault],
            count=len(rows),
            groups=one_each(rows, facts.reason),
        )
