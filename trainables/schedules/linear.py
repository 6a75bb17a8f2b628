"""A straight line down."""

from __future__ import annotations

from trainables.schedules.schedule import Factor, SchedulePart


class Linear(SchedulePart):
    """From 1 to `end` in a straight line.

    Args:
        end: Factor at the end of training.

    Source: Defazio et al., 2023 (arXiv:2310.07831), find it the best of the fixed shapes.
    """

    end: Factor = 0.0

    def __call__(self, progress: float) -> float:
        """``1 − (1 − end) · progress``."""
        return 1.0 - (1.0 - self.end) * progress
