"""What a study keeps of its budget for the confirmation that follows the search: as much as it may take."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """A race that goes to its end, for nobody is told from anybody, and the measurement of whom it leaves.

    Most races come near their end, so little is kept in vain (`docs/studies.md`, Limits). By itself it keeps nothing.

    Args:
        finalists: How many race.
        rounds: Of the race: with how many seeds each of them is trained before anybody may be left out.
        seeds: How often the winner is trained afterwards.
        baseline: Of each of the baseline's trainings the share that is still to be trained, in [0, 1]; they wait for
            nothing.
        trained: Epochs of the confirmation that are trained already.
    """

    finalists: int = 0
    rounds: Sequence[int] = ()
    seeds: int = 0
    baseline: Sequence[float] = ()
    trained: int = 0

    @property
    def trainings(self) -> float:
        """How many whole trainings are still to come."""
        return self.finalists * sum(self.rounds) + self.seeds + sum(self.baseline)

    def epochs(self, whole: int) -> float:
        """All epochs of the confirmation, those that are trained already among them: a search counts its own alone.

        Args:
            whole: Epochs of a training.
        """
        return self.trained + whole * self.trainings

    def seconds(self, finalists: Sequence[float], baseline: float, workers: int) -> float:
        """How long it takes until all that is still to come is trained.

        Args:
            finalists: Seconds that a training of each of them takes; the dearest one is taken to win.
            baseline: Seconds that one of the baseline takes.
            workers: Trainings at a time; they are begun in the order in which the confirmation's ledger has them.
        """
        free = [0.0] * workers  # a heap: when each worker is
        for share in self.baseline:
            _train(free, share * baseline)
        for seeds in self.rounds:
            decided = max(_train(free, each) for _ in range(seeds) for each in finalists)
            free = [max(moment, decided) for moment in free]  # nobody is measured before the race is over
        for _ in range(self.seeds):
            _train(free, max(finalists))
        return max(free)


NOTHING = Kept()
"""Where nothing follows the search, or that has no limit."""


def _train(free: list[float], seconds: float) -> float:
    """When a training ends that the first free worker begins."""
    end = free[0] + seconds
    heapq.heapreplace(free, end)
    return end
