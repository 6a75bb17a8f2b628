"""What a search has seen so far: the only thing that its decisions rest on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from search.score import trial_score
from spaces import Params, SearchSpace


class Status(Enum):
    """Where a run stands."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"


NEVER = {Status.STOPPED, Status.FAILED}
"""Of trials that will not train again and have no answer."""


@dataclass
class Run:
    """One trial as the decisions see it.

    Args:
        number: The trial's.
        params: Its recipe.
        scores: Epoch, from 1 → score, ascending. There is a gap where a fold ended by its recipe's own rule.
        status: Where it stands.
        seconds: What its epochs took together, as far as that was told.
        pauses: Epochs at which it was told to pause.
        diverged: Whether its recipe, not the program, was at fault when it failed.
    """

    number: int
    params: Params
    scores: dict[int, float] = field(default_factory=dict)
    status: Status = Status.RUNNING
    seconds: float = 0.0
    pauses: list[int] = field(default_factory=list)
    diverged: bool = False

    @property
    def epochs(self) -> int:
        """The last epoch that is recorded."""
        return next(reversed(self.scores), 0)

    @property
    def ended(self) -> bool:
        """Whether it will never train again."""
        return self.status in {Status.COMPLETE, Status.STOPPED, Status.FAILED}


class History:
    """Every run of a search, in the order in which they began.

    `events` lists the trial and epoch of each record in the order of their coming, so that what is learnt from the
    first n of them can be learnt again after a restart. `spent` says how far the search is: the share of what it may
    spend, from 0 to 1; none where nothing limits it. `horizon` is how many epochs it will have trained at its
    end, as far as that can be said; infinity where neither epochs nor time limit it. `began` is when the first epoch
    began, seconds after the search did: processes have to start first.

    Args:
        space: What recipes are drawn from.
        max_epochs: Full budget of a run, all its folds.
        fold_epochs: Epochs of a fold, where a run trains several.
        timed: Whether time is what the search may spend, so that a dear recipe has to be worth it.
    """

    def __init__(
        self, space: SearchSpace, max_epochs: int, fold_epochs: int | None = None, *, timed: bool = False
    ) -> None:
        self.timed = timed
        self.space = space
        self.max_epochs = max_epochs
        self.fold_epochs = fold_epochs
        self._runs: dict[int, Run] = {}
        self._best: dict[int, list[float]] = {}
        self.events: list[tuple[int, int]] = []
        self.spent: float | None = None
        self.horizon = math.inf
        self.began = 0.0

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs.values())

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, number: int) -> Run:
        return self._runs[number]

    def __contains__(self, number: object) -> bool:
        return number in self._runs

    def since(self, count: int) -> Iterator[Run]:
        """The runs but for the first `count`."""
        return itertools.islice(self._runs.values(), count, None)

    def begin(self, number: int, params: Params) -> Run:
        """A run begins."""
        self._runs[number] = Run(number, params)
        self._best[number] = []
        return self._runs[number]

    def record(self, number: int, epoch: int, score: float, seconds: float = 0.0) -> float:
        """An epoch is over, and took so many seconds (0 where nobody knows).

        Returns:
            The run's score so far: its best epoch's, or the mean over its folds of each one's best.
        """
        run = self._runs[number]
        run.scores[epoch] = score
        run.seconds += seconds
        self.events.append((number, epoch))
        if self.fold_epochs:
            best = trial_score(run.scores, self.fold_epochs)
        else:
            before = self._best[number]
            best = max(before[-1], score) if before else score
        so_far = self._best[number]
        so_far += [so_far[-1] if so_far else -math.inf] * (epoch - 1 - len(so_far))
        so_far.append(best)
        return best

    def best_so_far(self, number: int) -> list[float]:
        """A run's score after each of its epochs, from the first."""
        return self._best[number]

    def score(self, number: int) -> float:
        """A run's score so far; minus infinity before its first record."""
        best = self._best[number]
        return best[-1] if best else -math.inf
