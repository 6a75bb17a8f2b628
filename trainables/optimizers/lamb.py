"""LAMB: Adam's steps, as long as the layer's weights are."""

from __future__ import annotations

import torch
from timm.optim.lamb import Lamb as TimmLamb

from trainables.optimizers.optimizer import Beta, Groups, OptimizerPart


class Lamb(OptimizerPart):
    """LAMB, made for large batches. Clipping is the recipe's own, so its built-in one is off.

    Only weights that decay have the length of their steps adapted; the others take Adam's own.

    Args:
        beta1: Weight of the past in the gradient's mean.
        beta2: Weight of the past in its square's mean.

    Source: You et al., ICLR 2020 (arXiv:1904.00962).
    """

    beta1: Beta = 0.9
    beta2: Beta = 0.999

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Timm's LAMB; weight decay is part of the step whose length is adapted."""
        optimizer: torch.optim.Optimizer = TimmLamb(
            list(groups), betas=(self.beta1, self.beta2), max_grad_norm=None
        )
        return optimizer
