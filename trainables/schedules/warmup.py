"""Linear warm-up before any schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainables.schedules.schedule import Schedule


@dataclass(frozen=True)
class WarmUp:
    """Rise linearly over the first `share` of training to where `after` begins, then run all of `after`.

    Args:
        after: The schedule that follows; it sees its own progress from 0 to 1.
        share: Length of the warm-up as a share of training, in [0, 1).
        start: Where the rate begins, as a share of the peak rate, in [0, 1).

    Raises:
        ValueError: `share` or `start` is outside [0, 1).

    Source: Goyal et al., 2017 (arXiv:1706.02677), section 2.2.
    """

    after: Schedule
    share: float
    start: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"`0 <= share < 1` must hold, but got share={self.share}")
        if not 0 <= self.start < 1:
            raise ValueError(f"`0 <= start < 1` must hold, but got start={self.start}")

    def __call__(self, progress: float) -> float:
        """``start + (after(0) − start) · progress / share`` in the warm-up, then `after`."""
        if progress < self.share:
            return self.start + (self.after(0.0) - self.start) * progress / self.share
        return self.after(self._later(progress))

    def momentum(self, progress: float) -> float:
        """That of `after`, which has not begun during the warm-up."""
        return self.after.momentum(self._later(progress))

    def brake(self, scores: Sequence[float]) -> float:
        """That of `after`."""
        return self.after.brake(scores)

    def _later(self, progress: float) -> float:
        return max(0.0, (progress - self.share) / (1.0 - self.share))
