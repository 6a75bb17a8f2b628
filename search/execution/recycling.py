"""When a worker's process has trained enough and another takes its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

TRIALS_A_PROCESS = 200
"""What a user's own code leaves behind in a process does not pile up over a study; a new process is seconds."""


class Recycling:
    """Counts what each process was given.

    Args:
        limit: Trials of one process; a trial that pauses counts again when it goes on.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._given: Counter[Hashable] = Counter()

    def goes_on(self, process: Hashable) -> bool:
        """Whether a process whose trial has just ended is to be given another one."""
        self._given[process] += 1
        if self._given[process] < self._limit:
            return True
        del self._given[process]
        return False
