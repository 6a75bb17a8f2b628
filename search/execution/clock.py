"""What a worker's seconds go into, without a gap, from the start of its process on."""

from __future__ import annotations

import time
from collections.abc import Mapping

import psutil

from trainables.protocol import SECONDS


class Clock:
    """Adds up seconds by what they went into; each lap says what was done since the one before.

    The first lap begins with the process, so that its imports are counted, but not before there is a trial for it.

    Args:
        asked: When there was a trial for the process, seconds since 1970: it may have been started ahead of that.
    """

    def __init__(self, asked: float = 0.0) -> None:
        alive = time.time() - max(asked, psutil.Process().create_time())
        self._last = time.perf_counter() - max(0.0, alive)
        self._seconds: dict[str, float] = {}

    def lap(self, what: str, known: Mapping[str, float] | None = None) -> None:
        """Since the last lap, `what` was done.

        Args:
            what: A word of `search.account.KINDS`.
            known: Metrics of an epoch. Those called ``seconds/…`` are the epoch's own account: its seconds are in
                there already, and only what they do not explain is `what`.
        """
        now = time.perf_counter()
        told = sum(value for name, value in (known or {}).items() if name.startswith(SECONDS))
        self._seconds[what] = self._seconds.get(what, 0.0) + max(0.0, now - self._last - told)
        self._last = now

    def take(self) -> dict[str, float]:
        """What was added up since the last call."""
        taken, self._seconds = self._seconds, {}
        return taken
