"""AdamW without a schedule: an average of the weights takes its place."""

from __future__ import annotations

import torch
from schedulefree import AdamWScheduleFree

from trainables.optimizers.optimizer import Groups, WithBetas


class ScheduleFree(WithBetas):
    """Schedule-free AdamW. It is made for ``schedule: constant``; others multiply its rate all the same.

    Its β₁ says how near the point at which gradients are taken lies to the average.

    Source: Defazio et al., "The Road Less Scheduled", NeurIPS 2024 (arXiv:2405.15682).
    """

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """The authors' own implementation, ready to train."""
        made = AdamWScheduleFree(list(groups), betas=self.betas)
        made.train()
        optimizer: torch.optim.Optimizer = made
        return optimizer
