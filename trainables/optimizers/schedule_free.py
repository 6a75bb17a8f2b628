"""AdamW without a schedule: an average of the weights takes its place."""

from __future__ import annotations

import torch
from schedulefree import AdamWScheduleFree

from trainables.optimizers.optimizer import Beta, Groups, OptimizerPart


class ScheduleFree(OptimizerPart):
    """Schedule-free AdamW. It is made for ``schedule: constant``; others multiply its rate all the same.

    Args:
        beta1: How near the gradient's point lies to the average.
        beta2: Weight of the past in the mean of squares.

    Source: Defazio et al., "The Road Less Scheduled", NeurIPS 2024 (arXiv:2405.15682).
    """

    beta1: Beta = 0.9
    beta2: Beta = 0.999

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """The authors' own implementation, ready to train."""
        optimizer = AdamWScheduleFree(list(groups), betas=(self.beta1, self.beta2))
        optimizer.train()
        return optimizer  # type: ignore[no-any-return]
