"""Schedulers by the names that a study's spec uses."""

from __future__ import annotations

from search.decisions.promotion import Promotion
from search.decisions.scheduler import NoScheduler, Scheduler

SCHEDULERS = ("asha", "hyperband", "promotion", "none")

BRACKETS = 3
"""Of `hyperband`."""


def make_scheduler(
    name: str, max_epochs: int, *, grace: int = 1, eta: float = 3.0, finish: int = 3, seed: int = 0
) -> Scheduler:
    """The scheduler called `name`.

    Args:
        name: ``asha`` (Ray's own), ``hyperband`` (Ray's own with three brackets), ``promotion`` or ``none``.
        max_epochs: Full budget of a trial (of its first fold, where it has several).
        grace: First rung, epochs.
        eta: One in `eta` goes on at each rung.
        finish: Trials that shall reach the full budget at least; of ``promotion``.
        seed: Of ``hyperband``'s choice among its brackets.

    Raises:
        KeyError: There is no scheduler of that name.
    """
    if name == "none":
        return NoScheduler()
    if name == "promotion":
        return Promotion(max_epochs, grace, eta, finish)
    if name in {"asha", "hyperband"}:
        from search.execution.asha import Asha

        return Asha(max_epochs, grace, eta, brackets=BRACKETS if name == "hyperband" else 1, seed=seed)
    raise KeyError(name)
