"""What an epoch of a trial takes over what it usually takes."""

from __future__ import annotations

from search.decisions.history import History, Run


class Prices:
    """Of a search so far; all are 1 where the trainings do not say how long they take.

    Args:
        history: All runs.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        seconds = epochs = 0.0
        for run in history:  # one pass: histories are long, and this is asked at every turn
            if run.seconds > 0:
                seconds += run.seconds
                epochs += len(run.scores)
        self._usual = seconds / epochs if epochs else 0.0

    def of(self, run: Run) -> float:
        """Seconds of its epochs over those of all trials' epochs, on average."""
        return run.seconds / len(run.scores) / self._usual if run.scores and run.seconds > 0 else 1.0

    @property
    def slowest(self) -> float:
        """Of the trials that may still train the dearest one's, 1 at least."""
        return max([1.0, *(self.of(run) for run in self._history if not run.ended)])
