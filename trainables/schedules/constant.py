"""One rate from beginning to end."""

from __future__ import annotations

from trainables.schedules.schedule import SchedulePart


class Constant(SchedulePart):
    """The same factor, 1, at every time."""

    def __call__(self, progress: float) -> float:
        """1."""
        return 1.0
