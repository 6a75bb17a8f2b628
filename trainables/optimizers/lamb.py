"""LAMB: Adam's steps, as long as the layer's weights are."""

from __future__ import annotations

import torch
from timm.optim.lamb import Lamb as TimmLamb

from trainables.optimizers.optimizer import Groups, WithBetas


class Lamb(WithBetas):
    """LAMB, made for large batches. Clipping is the recipe's own, so its built-in one is off.

    Only weights that decay have the length of their steps adapted; the others take Adam's own.

    Source: You et al., ICLR 2020 (arXiv:1904.00962).
    """

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Timm's LAMB; weight decay is part of the step whose length is adapted."""
        optimizer: torch.optim.Optimizer = TimmLamb(list(groups), betas=self.betas, max_grad_norm=None)
        return optimizer
