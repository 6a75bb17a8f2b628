"""Notices trials that give no sign of life."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

FIRST = 3600.0
"""Seconds at least for a trial's first epoch in a process, of which nobody knows how long it takes: recipes differ."""

LEAST, TIMES = 600.0, 10.0
"""Afterwards: so many seconds, or so many times the longest wait for an epoch so far, whichever is more."""

ABSENT = 30.0
"""Seconds between two looks that are longer than the driver's work: it waited, for its ledger say."""


class Watch:
    """Keeps the time since each trial's last record.

    Args:
        limit: Seconds that a trial may be silent; none finds that out from the epochs that come.
        clock: Seconds; one that a suspended machine or a set clock does not move.
    """

    def __init__(self, limit: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._heard: dict[Hashable, float] = {}
        self._looked: float | None = None
        self._longest = 0.0
        self._told: set[Hashable] = set()

    def limit(self, trial: Hashable) -> float:
        """Seconds that a trial may be silent."""
        if self._limit is not None:
            return self._limit
        return max(LEAST if trial in self._told else FIRST, TIMES * self._longest)

    def begin(self, trial: Hashable) -> None:
        """A trial has been given a process."""
        self._heard[trial] = self._clock()

    def heard(self, trial: Hashable) -> None:
        """A trial has told a record."""
        now = self._clock()
        if trial in self._heard:
            self._longest = max(self._longest, now - self._heard[trial] - self._absent(now))
        self._heard[trial] = now
        self._told.add(trial)

    def end(self, trial: Hashable) -> None:
        """A trial has given its process back."""
        self._heard.pop(trial, None)
        self._told.discard(trial)

    def overdue(self) -> list[Hashable]:
        """The trials that have been silent for too long, to be asked for often.

        Each is named once, and not again before it begins anew.
        """
        now = self._clock()
        absent = self._absent(now)
        self._looked = now
        if absent:  # who was not there to listen has heard nothing, and says so of nobody
            self._heard = {trial: heard + absent for trial, heard in self._heard.items()}
        found = [trial for trial, heard in self._heard.items() if now - heard > self.limit(trial)]
        for trial in found:
            del self._heard[trial]
        return found

    def _absent(self, now: float) -> float:
        """Seconds since the last look, if they are more than the driver's own work explains."""
        absent = 0.0 if self._looked is None else now - self._looked
        return absent if absent > ABSENT else 0.0
