"""What follows when trials break: one is tried again as long as that may help, and a study ends that cannot go well."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

RETRIES = 2
"""How often a trial is tried again without an epoch in between."""

MOST = 10
"""How often in all."""

WAITS = (1.0, 10.0)
"""Seconds before the first and the second time: a disk or a network that is away is given time to return."""

ENOUGH_FAILED = 5
"""So many failures of one cause may be one cause; fewer may be chance."""

SHARE_FAILED = 0.75
"""Of the trials that have come to an epoch or an end, such a share that failed for one cause leaves no search."""


def fault(epoch: int, reason: str) -> dict[str, Any]:
    """What is written down of a trial that broke off after `epoch` epochs."""
    return {"epoch": epoch, "reason": reason}


def since_progress(faults: Sequence[Mapping[str, Any]]) -> int:
    """How many of a trial's faults came one after the other at the epoch of the last one."""
    last = faults[-1]["epoch"] if faults else None
    count = 0
    for one in reversed(faults):
        if one["epoch"] != last:
            break
        count += 1
    return count


def tried_again(faults: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a trial goes on after the last of its faults."""
    return since_progress(faults) <= RETRIES and len(faults) <= MOST


def wait(faults: Sequence[Mapping[str, Any]]) -> float:
    """Seconds before it does."""
    return WAITS[min(since_progress(faults), len(WAITS)) - 1]


def in_words(reason: str, faults: Sequence[Mapping[str, Any]]) -> str:
    """Why a trial is FAIL that was tried again before."""
    return f"{reason} ({len(faults)} times)" if len(faults) > 1 else reason


class Causes:
    """Counts why the trials of one driver fail."""

    def __init__(self) -> None:
        self._ran: set[int] = set()
        self._failed: Counter[str] = Counter()

    def ran(self, number: int) -> None:
        """A trial has come to an epoch, or to its end."""
        self._ran.add(number)

    def failed(self, number: int, reason: str) -> str | None:
        """A trial is FAIL, and not by its recipe.

        Returns:
            Why the study is of no use as it is, or none. Reasons that differ in their numbers alone are one.
        """
        self.ran(number)
        cause = re.sub(r"\d[\w.+-]*", "#", reason)
        self._failed[cause] += 1
        count, all_of_them = self._failed[cause], len(self._ran)
        if count < ENOUGH_FAILED or count < SHARE_FAILED * all_of_them:
            return None
        trials = f"all {count}" if count == all_of_them else f"{count} of the {all_of_them}"
        return f"{trials} trials that have run failed for one cause: {reason}"
