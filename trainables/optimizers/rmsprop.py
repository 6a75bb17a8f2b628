"""RMSprop: steps scaled by the running mean of squared gradients."""

from __future__ import annotations

import torch

from trainables.optimizers.optimizer import Beta, Groups, OptimizerPart


class RMSprop(OptimizerPart):
    """RMSprop; weight decay is part of the gradient.

    Args:
        alpha: Weight of the past in the mean of squares.
        momentum: Weight of the past steps.

    Source: Hinton, lecture 6e of "Neural Networks for Machine Learning", 2012.
    """

    alpha: Beta = 0.99
    momentum: Beta = 0.9

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Torch's RMSprop."""
        return torch.optim.RMSprop(list(groups), alpha=self.alpha, momentum=self.momentum)
