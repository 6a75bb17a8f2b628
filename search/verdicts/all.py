"""Every verdict that there is."""

from __future__ import annotations

from collections.abc import Callable

from search.verdicts.chance import noise_is_larger, seeds_matter_more
from search.verdicts.course import overfitting, still_improving
from search.verdicts.edge import at_the_edge
from search.verdicts.gathering import where_it_fails
from search.verdicts.grace import grace_too_short
from search.verdicts.thin import too_thin
from search.verdicts.useless import never_helped
from search.verdicts.verdict import Case, Verdict

VERDICTS: tuple[Callable[[Case], list[Verdict]], ...] = (
    at_the_edge,
    where_it_fails,
    still_improving,
    overfitting,
    grace_too_short,
    too_thin,
    seeds_matter_more,
    noise_is_larger,
    never_helped,
)
"""In the order in which they are said: first what the next study should change, then what it cannot help."""


def verdicts_on(case: Case) -> list[Verdict]:
    """What is to be said of a study; empty where nothing is."""
    return [verdict for judge in VERDICTS for verdict in judge(case)]
