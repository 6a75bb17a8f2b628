"""Plain ASHA: Ray's own class decides, behind the project's interface."""

from __future__ import annotations

from types import SimpleNamespace

from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from search.decisions.scheduler import Decision


class Asha:
    """Asynchronous successive halving, stopping type, one bracket.

    Ray's scheduler looks at a trial's id and at the result, nothing else, so it decides here
    without a cluster: live, when the ledger's records are replayed, and in a simulation.

    Args:
        max_epochs: Full budget of a trial.
        grace: First rung, epochs; no trial is stopped before it.
        eta: One in `eta` goes on at each rung; rungs are `grace`, `grace`·η, `grace`·η², …

    Source: Li et al., MLSys 2020 (arXiv:1810.05934); `ray.tune.schedulers.ASHAScheduler`.
    """

    def __init__(self, max_epochs: int, grace: int, eta: float) -> None:
        self._ray = ASHAScheduler(
            time_attr="epoch",
            metric="score",
            mode="max",
            max_t=max_epochs,
            grace_period=min(grace, max_epochs),
            reduction_factor=eta,
        )
        self._seen: dict[int, SimpleNamespace] = {}

    def on_record(self, number: int, epoch: int, score: float) -> Decision:
        """Ray's decision on this record."""
        if number not in self._seen:
            self._seen[number] = SimpleNamespace(trial_id=str(number))
            self._ray.on_trial_add(None, self._seen[number])
        action = self._ray.on_trial_result(None, self._seen[number], {"epoch": epoch, "score": score})
        return Decision.STOP if action == TrialScheduler.STOP else Decision.CONTINUE
