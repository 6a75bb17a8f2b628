"""The weights that an optimizer wants to be judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from trainables.batchnorm import statistics_kept


@contextmanager
def evaluating(
    optimizer: torch.optim.Optimizer, model: nn.Module, refresh: Callable[[], None]
) -> Iterator[None]:
    """Within it the network has the weights to evaluate; afterwards those to train on with.

    For all but schedule-free optimizers they are the same. Those train at a point between an average of
    the weights and the newest ones, and are judged by the average, at which BatchNorm's statistics were
    never collected: `refresh` collects them, and the old ones are put back at the end.

    Args:
        optimizer: Any; one that has ``eval`` and ``train`` is schedule-free.
        model: The network that it trains.
        refresh: Re-estimates BatchNorm's statistics.

    Source: Defazio et al., "The Road Less Scheduled", NeurIPS 2024 (arXiv:2405.15682).
    """
    schedule_free: Any = optimizer
    if not hasattr(schedule_free, "eval"):
        yield
        return
    with statistics_kept(model):
        schedule_free.eval()
        refresh()
        try:
            yield
        finally:
            schedule_free.train()
