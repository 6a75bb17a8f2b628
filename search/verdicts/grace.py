"""Trials were stopped before their scores said anything."""

from __future__ import annotations

from search.verdicts.verdict import Case, Verdict

TELLING = 0.5
"""Correlation with the final score, over the whole space, below which a rung tells too little to stop anybody."""
REGRET = 0.5
"""Stopped trials that would have been the best, as far as can be expected, below which nothing was lost."""


def grace_too_short(case: Case) -> list[Verdict]:
    """The first rung hardly says who will be good, and somebody good was stopped for it."""
    agreements = case.insight.agreements
    if not agreements or agreements[0].modelled is None or agreements[0].modelled >= TELLING:
        return []
    if (case.insight.regret or 0.0) < REGRET:
        return []
    first = agreements[0]
    later = next((one.epoch for one in agreements if (one.modelled or 0.0) >= TELLING), case.epochs)
    return [
        Verdict(
            "grace too short",
            f"After epoch {first.epoch} scores say too little to stop a trial.",
            f"They correlate with the final ones by {first.modelled:.2f} over the whole space; the best trial was "
            f"number {first.place} of {first.there} there, and of {len(case.insight.stopped)} stopped ones "
            f"{case.insight.regret:.1f} would have been the best.",
            (f"--set grace={later}",),
        )
    ]
