"""Where trials pause, and from which rung on it pays to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LENIENT, STRICT = 0.3, 0.9
"""Correlation with final scores from which on early ones are worth looking at: when a search begins, and later."""
STRICT_FROM = 0.5
"""Share of a search that is over when it has become strict."""
UNLIMITED = 0.4
"""What counts as that share where a search has no end in sight: the correlation asked for is then 0.78 throughout."""


@dataclass(frozen=True)
class Ladder:
    """Where a trial pauses, and how many go on.

    Args:
        rungs: Epochs, ascending.
        eta: One in `eta` goes on from each.
        max_epochs: Full budget of a trial.
    """

    rungs: tuple[int, ...]
    eta: float
    max_epochs: int

    def first(self, telling: Sequence[float], spent: float | None) -> int:
        """The rung where trials pause first: the lowest whose scores tell enough of the end, else the highest.

        Low rungs let many recipes be tried, high ones tell the good from the bad. At first recipes differ much, and
        what early scores hint at suffices; later all that are proposed are good, and only late scores tell them
        apart. So the correlation that is asked for rises from `LENIENT` to `STRICT`.

        Args:
            telling: Of each rung, the correlation of its scores with the final ones.
            spent: Share of the search that is over, from 0 to 1; none where nothing limits it.
        """
        over = min(1.0, (UNLIMITED if spent is None else spent) / STRICT_FROM)
        asked = LENIENT + (STRICT - LENIENT) * over
        enough = (rung for rung, correlation in zip(self.rungs, telling, strict=True) if correlation >= asked)
        return next(enough, self.rungs[-1])


def ladder_up(grace: int, eta: float, max_epochs: int) -> Ladder:
    """Rungs at `grace`, `grace`·η, … below `max_epochs`."""
    found: list[int] = []
    rung = float(grace)
    while round(rung) < max_epochs:
        if not found or round(rung) > found[-1]:
            found.append(round(rung))
        rung *= eta
    return Ladder(tuple(found), eta, max_epochs)


def ladder_down(grace: int, eta: float, max_epochs: int, depth: int) -> Ladder:
    """Rungs counted from the end: `max_epochs`/η, /η², … to `depth`, none before `grace` (and one at least)."""
    found = {round(max_epochs / eta**step) for step in range(1, depth + 1)}
    rungs = sorted(rung for rung in found if rung >= max(1, grace))
    return Ladder(tuple(rungs) or ((grace,) if grace < max_epochs else ()), eta, max_epochs)
