"""Linear warm-up before any schedule."""

from __future__ import annotations

from trainables.schedules.schedule import Schedule


def warm_up(after: Schedule, share: float) -> Schedule:
    """Rise linearly from 0 to 1 over the first `share` of training, then run all of `after`.

    Args:
        after: The schedule that follows; it sees its own progress from 0 to 1.
        share: Length of the warm-up as a share of training, in [0, 1). 0 gives `after` itself.

    Returns:
        progress ↦ ``progress / share`` below `share`, else ``after((progress − share) / (1 − share))``.

    Raises:
        ValueError: `share` is outside [0, 1).

    Source: Goyal et al., 2017 (arXiv:1706.02677), section 2.2.
    """
    if not 0 <= share < 1:
        raise ValueError(f"`0 <= share < 1` must hold, but got {share=}")
    if share == 0:
        return after

    def schedule(progress: float) -> float:
        if progress < share:
            return progress / share
        return after((progress - share) / (1.0 - share))

    return schedule
