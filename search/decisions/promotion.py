"""Successive halving by promotion: every trial pauses at each rung, and the best go on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from search.decisions.history import History, Status
from search.decisions.scheduler import Decision


class Forecast(Protocol):
    """Says of runs how good they will be."""

    def promise(
        self, history: History, numbers: Sequence[int], *, optimism: float = 0.0
    ) -> Sequence[float] | None:
        """The score that each run may be hoped to reach at its full budget, comparable among themselves.

        Args:
            history: All runs.
            numbers: Which ones.
            optimism: How many standard deviations above what is expected.

        Returns:
            None where too little is known yet.
        """
        ...


@dataclass(frozen=True)
class Ladder:
    """Where a trial pauses, and how many go on.

    Args:
        rungs: Epochs, ascending.
        eta: One in `eta` goes on from each.
    """

    rungs: tuple[int, ...]
    eta: float


def ladder_up(grace: int, eta: float, max_epochs: int) -> Ladder:
    """Rungs at `grace`, `grace`·η, … below `max_epochs`."""
    found: list[int] = []
    rung = float(grace)
    while round(rung) < max_epochs:
        if not found or round(rung) > found[-1]:
            found.append(round(rung))
        rung *= eta
    return Ladder(tuple(found), eta)


def ladder_down(grace: int, eta: float, max_epochs: int, depth: int = 3) -> Ladder:
    """Rungs counted from the end: `max_epochs`/η, /η², … to `depth`, none before `grace` (and one at least)."""
    found = {round(max_epochs / eta**step) for step in range(1, depth + 1)}
    rungs = sorted(rung for rung in found if rung >= max(1, grace))
    return Ladder(tuple(rungs) or ((grace,) if grace < max_epochs else ()), eta)


class Promotion:
    """Asynchronous successive halving, promotion type.

    A trial pauses at each rung. Whenever a worker is free, the highest rung that owes a promotion gives its best
    paused trial; where none does, a new trial begins. A rung owes one while fewer than one in η of those
    that reached it went on. Unlike the stopping type, where each newcomer is held against the past alone and
    better and better proposals are let through nearly all, the share that goes on stays what it should be.

    Once no new trial may begin, every rung owes at least `finish` promotions, so that a short search too ends
    with trials of full length.

    Args:
        ladder: Where trials pause, and how many go on.
        finish: How many trials shall reach the full budget in the end, at least.
        forecast: Ranks the trials of a rung by what may become of them; none ranks by their scores.
        optimism: How hopefully the forecast is read while the search goes on; in the end it is read soberly.
        scouts: So many trials, the first ones, run through whatever they score. They show how early scores and
            late ones go together, which no rung can.

    Source: Li et al., MLSys 2020 (arXiv:1810.05934), algorithm 2.
    """

    def __init__(
        self,
        ladder: Ladder,
        finish: int = 3,
        forecast: Forecast | None = None,
        optimism: float = 0.0,
        scouts: int = 0,
    ) -> None:
        self._ladder, self._finish = ladder, finish
        self._forecast, self._optimism, self._scouts = forecast, optimism, scouts

    def on_record(self, number: int, epoch: int, score: float) -> Decision:
        """Pause at each rung."""
        pauses = epoch in self._ladder.rungs and number >= self._scouts
        return Decision.PAUSE if pauses else Decision.CONTINUE

    def resume(self, history: History, *, closing: bool) -> int | None:
        """From the highest rung that owes a promotion, the best paused trial."""
        rungs, eta = self._ladder.rungs, self._ladder.eta
        paused: dict[int, list[int]] = {rung: [] for rung in rungs}
        reached = dict.fromkeys(rungs, 0)
        gone = dict.fromkeys(rungs, 0)
        for run in history:  # one pass: histories are long, and this is asked at every turn
            epochs = run.epochs
            for rung in rungs:
                if epochs < rung:
                    break
                reached[rung] += 1
                if epochs == rung and run.status is Status.PAUSED:
                    paused[rung].append(run.number)
                elif run.number >= self._scouts:
                    gone[rung] += 1
        for rung in reversed(rungs):
            owed = math.floor(reached[rung] / eta)
            if closing:
                owed = max(math.ceil(reached[rung] / eta), self._finish)
            if paused[rung] and gone[rung] < owed:
                best = self._best(history, paused[rung], rung, owed, closing=closing)
                if best is not None:
                    return best
        return None

    def _best(
        self, history: History, numbers: Sequence[int], rung: int, owed: int, *, closing: bool
    ) -> int | None:
        """Of the trials paused at a rung the one to go on with."""
        hopes = None
        if self._forecast is not None:
            optimism = 0.0 if closing else self._optimism
            hopes = self._forecast.promise(history, numbers, optimism=optimism)
        if hopes is not None:
            return max(zip(hopes, numbers, strict=True), key=lambda pair: (pair[0], -pair[1]))[1]
        # One that is among the best of its rung, those that went on included: else the place is kept for later.
        scores = sorted(
            (history.best_so_far(run.number)[rung - 1] for run in history if run.epochs >= rung), reverse=True
        )
        best = max(numbers, key=lambda number: (history.score(number), -number))
        return best if history.score(best) >= scores[min(owed, len(scores)) - 1] else None
