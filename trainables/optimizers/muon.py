"""Muon: steps whose directions are all equally long."""

from __future__ import annotations

import torch
from timm.optim.muon import Muon as TimmMuon

from trainables.optimizers.optimizer import Beta, Groups, WithBetas


class Muon(WithBetas):
    """Muon for matrices and kernels; what has no two wide dimensions is left to AdamW.

    That is biases, norms, depthwise kernels, and matrices with a side below 4 or over 128 times the other.

    Steps are scaled to the size of AdamW's, so its rates fit. Weight decay is apart from the gradient.

    Args:
        momentum: Weight of the past gradients.
        beta2: AdamW's β₂ for the rest.

    Source: Jordan et al., 2024; Liu et al., "Muon is Scalable for LLM Training", 2025 (arXiv:2502.16982).
    """

    momentum: Beta = 0.95
    beta2: Beta = 0.95

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Timm's Muon."""
        optimizer: torch.optim.Optimizer = TimmMuon(
            list(groups),
            momentum=self.momentum,
            betas=self.betas,
            adjust_lr_fn="match_rms_adamw",
        )
        return optimizer
