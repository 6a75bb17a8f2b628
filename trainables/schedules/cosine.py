"""Half a cosine, once or again and again."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from trainables.schedules.schedule import Factor, SchedulePart


def half_cosine(progress: float) -> float:
    """``(1 + cos(π · progress)) / 2``: from 1 to 0 over progress in [0, 1]."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


class Cosine(SchedulePart):
    """Half a cosine from 1 to `end`.

    Args:
        end: Factor at the end of training.

    Source: Loshchilov & Hutter, SGDR without restarts, ICLR 2017 (arXiv:1608.03983).
    """

    end: Factor = 0.0

    def __call__(self, progress: float) -> float:
        """``end + (1 − end) · (1 + cos(π · progress)) / 2``."""
        return self.end + (1.0 - self.end) * half_cosine(progress)


class CosineRestarts(SchedulePart):
    """Half a cosine from 1 to 0, `cycles` times, each cycle `stretch` times as long as the one before.

    Args:
        cycles: How many.
        stretch: Length of a cycle over that of the one before it.
        shrink: Peak of a cycle over that of the one before it.

    Source: Loshchilov & Hutter, SGDR, ICLR 2017 (arXiv:1608.03983).
    """

    cycles: Annotated[int, Field(ge=1, le=100)] = 3
    stretch: Annotated[float, Field(ge=1, le=10)] = 1.0
    shrink: Annotated[float, Field(gt=0, le=1)] = 1.0

    def __call__(self, progress: float) -> float:
        """``shrink^k · (1 + cos(π · t)) / 2``, t in [0, 1) being the progress within cycle k."""
        cycle, within = self._place(progress)
        return float(self.shrink**cycle) * half_cosine(within)

    def _place(self, progress: float) -> tuple[int, float]:
        """The cycle, counted from 0, and the progress within it."""
        lengths = [self.stretch**cycle for cycle in range(self.cycles)]
        gone = progress * sum(lengths)
        for cycle, length in enumerate(lengths[:-1]):
            if gone < length:
                return cycle, gone / length
            gone -= length
        return self.cycles - 1, min(1.0, gone / lengths[-1])
