"""Schedules: pure functions of training progress."""

from __future__ import annotations

from trainables.parts import PartConfig
from trainables.schedules.schedule import Schedule
from trainables.schedules.warmup import WarmUp

__all__ = ["Schedule", "WarmUp", "make_schedule"]


def make_schedule(config: PartConfig, share: float = 0.0, start: float = 0.0) -> Schedule:
    """The schedule that `config` names, after a linear warm-up over the share `share` of training.

    Args:
        config: A part of kind ``schedule``.
        share: Length of the warm-up, in [0, 1); 0 gives the schedule itself.
        start: Where the warm-up begins, as a share of the peak rate, in [0, 1).

    Raises:
        InvalidParams: There is no such schedule, or an option is outside its law.
        ValueError: `share` or `start` is outside [0, 1).
    """
    schedule: Schedule = config.make()
    return WarmUp(schedule, share, start) if share else schedule
