"""Plain ASHA: Ray's own class decides, behind the project's interface."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from search.decisions.history import History
from search.decisions.scheduler import Decision, Stopping


class Asha(Stopping):
    """Asynchronous successive halving, stopping type.

    Ray's scheduler looks at a trial's id and at the result, nothing else, so it decides here
    without a cluster: live, when the ledger's records are replayed, and in a simulation.

    Args:
        max_epochs: Full budget of a trial.
        grace: First rung, epochs; no trial is stopped before it.
        eta: One in `eta` goes on at each rung; rungs are `grace`, `grace`·η, `grace`·η², …
        brackets: How many ladders of rungs there are; each begins η times later than the one before, and a
            trial is given one by chance, smaller ones more often (Hyperband's hedge, run asynchronously).
        seed: Of that chance.

    Source: Li et al., MLSys 2020 (arXiv:1810.05934); `ray.tune.schedulers.ASHAScheduler`.
    """

    def __init__(self, max_epochs: int, grace: int, eta: float, brackets: int = 1, seed: int = 0) -> None:
        self._ray = ASHAScheduler(
            time_attr="epoch",
            metric="score",
            mode="max",
            max_t=max_epochs,
            grace_period=min(grace, max_epochs),
            reduction_factor=eta,
            brackets=brackets,
        )
        self._brackets, self._seed = brackets, seed
        self._seen: dict[int, SimpleNamespace] = {}

    @property
    def rungs(self) -> frozenset[int]:
        """Those of all its ladders."""
        return frozenset(
            math.ceil(milestone) for bracket in self._ray._brackets for milestone, _ in bracket._rungs
        )

    def on_record(self, history: History | None, number: int, epoch: int, score: float) -> Decision:
        """Ray's decision on this record."""
        if number not in self._seen:
            self._seen[number] = SimpleNamespace(trial_id=str(number))
            self._add(number)
        action = self._ray.on_trial_result(None, self._seen[number], {"epoch": epoch, "score": score})
        return Decision.STOP if action == TrialScheduler.STOP else Decision.CONTINUE

    def _add(self, number: int) -> None:
        """Ray draws the bracket from numpy's global stream, which is not ours to move."""
        if self._brackets == 1:
            self._ray.on_trial_add(None, self._seen[number])
            return
        before = np.random.get_state()
        np.random.seed((self._seed * 1_000_003 + number) % 2**32)
        try:
            self._ray.on_trial_add(None, self._seen[number])
        finally:
            np.random.set_state(before)
