"""Lion: the sign of an interpolated momentum."""

from __future__ import annotations

import torch
from timm.optim.lion import Lion as TimmLion

from trainables.optimizers.optimizer import Beta, Groups, WithBetas


class Lion(WithBetas):
    """Lion: every weight moves by the rate itself, so rates are three to ten times smaller than AdamW's.

    Weight decay is apart from the gradient. Its β₁ weighs the past in what the sign is taken of.

    Args:
        beta2: Weight of the past in the mean that is kept.

    Source: Chen et al., NeurIPS 2023 (arXiv:2302.06675).
    """

    beta2: Beta = 0.99

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Timm's Lion."""
        optimizer: torch.optim.Optimizer = TimmLion(list(groups), betas=self.betas)
        return optimizer
