"""Schedules: pure functions of training progress."""

from __future__ import annotations

from trainables.schedules.cosine import constant, cosine
from trainables.schedules.schedule import Schedule
from trainables.schedules.warmup import warm_up

__all__ = ["SCHEDULES", "Schedule", "constant", "cosine", "make_schedule", "warm_up"]

SCHEDULES: dict[str, Schedule] = {"cosine": cosine, "constant": constant}


def make_schedule(name: str, warmup: float = 0.0) -> Schedule:
    """The schedule called `name` after a linear warm-up over the share `warmup` of training.

    Raises:
        KeyError: There is no schedule of that name.
        ValueError: `warmup` is outside [0, 1).
    """
    return warm_up(SCHEDULES[name], warmup)
