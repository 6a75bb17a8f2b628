"""Adam and its kin: steps scaled by running moments of the gradient."""

from __future__ import annotations

import torch

from trainables.optimizers.optimizer import Groups, WithBetas


class AdamW(WithBetas):
    """Adam with weight decay apart from the gradient.

    Source: Loshchilov & Hutter, ICLR 2019 (arXiv:1711.05101).
    """

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Torch's AdamW, all weights in one go: for a small network the loop over them takes a tenth of a step."""
        return torch.optim.AdamW(list(groups), betas=self.betas, fused=True)


class Adam(WithBetas):
    """Adam with weight decay as part of the gradient (L2), which its scaling then weakens.

    Source: Kingma & Ba, ICLR 2015 (arXiv:1412.6980).
    """

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Torch's Adam."""
        return torch.optim.Adam(list(groups), betas=self.betas, fused=True)


class NAdam(WithBetas):
    """Adam with Nesterov's look ahead; weight decay apart from the gradient.

    Source: Dozat, ICLR workshop 2016.
    """

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Torch's NAdam, decoupled."""
        return torch.optim.NAdam(list(groups), betas=self.betas, decoupled_weight_decay=True)


class AdamP(WithBetas):
    """Adam without the part of a step that only makes weights before a normalisation longer.

    Source: Heo et al., ICLR 2021 (arXiv:2006.08217).
    """

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Timm's AdamP; weight decay apart from the gradient."""
        # With timm's optimizers comes torch.distributed, seconds of imports that AdamW shall not wait for.
        from timm.optim.adamp import AdamP as TimmAdamP

        optimizer: torch.optim.Optimizer = TimmAdamP(list(groups), betas=self.betas)
        return optimizer
