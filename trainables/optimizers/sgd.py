"""Stochastic gradient descent with momentum."""

from __future__ import annotations

import torch

from trainables.optimizers.optimizer import Beta, Groups, OptimizerPart


class SGD(OptimizerPart):
    """SGD; weight decay is part of the gradient.

    Args:
        momentum: Weight of the past steps; 0 is plain gradient descent.
        nesterov: Look ahead along the momentum, where there is one.

    Source: Sutskever et al., ICML 2013.
    """

    momentum: Beta = 0.9
    nesterov: bool = True

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Torch's SGD."""
        nesterov = self.nesterov and self.momentum > 0
        return torch.optim.SGD(list(groups), lr=0.0, momentum=self.momentum, nesterov=nesterov)
