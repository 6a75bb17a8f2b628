"""Schedulers by the names that a study's spec uses."""

from __future__ import annotations

from search.decisions.ladder import ladder_down, ladder_up
from search.decisions.promotion import Forecast, Promotion
from search.decisions.scheduler import NoScheduler, Scheduler

SCHEDULERS = ("default", "asha", "hyperband", "promotion", "none")

BRACKETS = 3
"""Of `hyperband`."""
SCOUTS = 2
"""Of `default`: trials that run through."""
HALVINGS = 5
"""Of `default`: rungs, counted from the full budget down."""
OPTIMISM = 4.0
"""Of `default`: standard deviations above what is expected of a trial, where one is to be promoted."""


def make_scheduler(
    name: str,
    max_epochs: int,
    *,
    grace: int = 1,
    eta: float | None = None,
    finish: int = 3,
    seed: int = 0,
    forecast: Forecast | None = None,
) -> Scheduler:
    """The scheduler called `name`.

    Args:
        name: ``default`` (promotion by forecast), ``asha`` (Ray's own), ``hyperband`` (Ray's own with three
            brackets), ``promotion`` (by score) or ``none``.
        max_epochs: Full budget of a trial (of its first fold, where it has several).
        grace: First rung, epochs.
        eta: One in `eta` goes on at each rung; 2 for ``default`` and 3 for the others if not given.
        finish: How many of the best trials shall have their full budget in the end; of ``default`` and
            ``promotion``.
        seed: Of ``hyperband``'s choice among its brackets.
        forecast: Of ``default``.

    Raises:
        KeyError: There is no scheduler of that name.
    """
    eta = (2.0 if name == "default" else 3.0) if eta is None else eta
    if name == "none":
        return NoScheduler()
    if name == "promotion":
        return Promotion(ladder_up(grace, eta, max_epochs), finish)
    if name == "default":
        ladder = ladder_down(grace, eta, max_epochs, HALVINGS)
        return Promotion(ladder, finish, forecast, OPTIMISM, SCOUTS)
    if name in {"asha", "hyperband"}:
        from search.execution.asha import Asha

        return Asha(max_epochs, grace, eta, brackets=BRACKETS if name == "hyperband" else 1, seed=seed)
    raise KeyError(name)
