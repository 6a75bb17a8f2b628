"""Successive halving by forecast where a trial that stops cannot go on later."""

from __future__ import annotations

import math

from search.decisions.history import History
from search.decisions.ladder import Ladder
from search.decisions.promotion import Forecast
from search.decisions.scheduler import Decision, Stopping

AS_IF_OVER = 1.0
"""What is stopped on a hint is gone, so its scores must tell as much from the first on as they must in the end."""


class Halving(Stopping):
    """Asynchronous successive halving, stopping type, by what may become of a trial and not by its score.

    At each rung from the first that tells (`Ladder.first`) a trial goes on if its upper bound is among the best one in
    η of those that have come so far. Where trials can pause, `Promotion` is the better choice: it lets through what it
    should however good newcomers are, and nothing is lost.

    Args:
        ladder: Where trials are judged, and how many go on.
        forecast: What may become of them.
        optimism: Standard deviations above what is expected.
        scouts: So many trials, the first ones, run through.

    Source: Li et al., MLSys 2020 (arXiv:1810.05934).
    """

    def __init__(self, ladder: Ladder, forecast: Forecast, optimism: float = 0.0, scouts: int = 0) -> None:
        self._ladder, self._forecast = ladder, forecast
        self._optimism, self._scouts = optimism, scouts

    def on_record(self, history: History, number: int, epoch: int, score: float) -> Decision:
        """Stop what promises less than the others did that came so far."""
        if number < self._scouts or epoch not in self._ladder.rungs:
            return Decision.CONTINUE
        telling = self._forecast.telling(history, self._ladder.rungs)
        if telling is None or epoch < self._ladder.first(telling, AS_IF_OVER):
            return Decision.CONTINUE
        peers = [run.number for run in history if run.epochs >= epoch and not run.diverged]
        hopes = self._forecast.promise(history, peers, optimism=self._optimism)
        if hopes is None:
            return Decision.CONTINUE
        own = hopes[peers.index(number)]
        better = sum(hope > own for hope in hopes)
        return Decision.CONTINUE if better < math.ceil(len(peers) / self._ladder.eta) else Decision.STOP
