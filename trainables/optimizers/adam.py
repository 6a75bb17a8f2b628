"""Adam and its kin: steps scaled by running moments of the gradient."""

from __future__ import annotations

import torch
from timm.optim.adamp import AdamP as TimmAdamP

from trainables.optimizers.optimizer import Beta, Groups, OptimizerPart


class AdamW(OptimizerPart):
    """Adam with weight decay apart from the gradient.

    Args:
        beta1: Weight of the past in the gradient's mean.
        beta2: Weight of the past in its square's mean.

    Source: Loshchilov & Hutter, ICLR 2019 (arXiv:1711.05101).
    """

    beta1: Beta = 0.9
    beta2: Beta = 0.999

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Torch's AdamW, all weights in one go: for a small network the loop over them takes a tenth of a step."""
        return torch.optim.AdamW(list(groups), betas=(self.beta1, self.beta2), fused=True)


class Adam(OptimizerPart):
    """Adam with weight decay as part of the gradient (L2), which its scaling then weakens.

    Args:
        beta1: Weight of the past in the gradient's mean.
        beta2: Weight of the past in its square's mean.

    Source: Kingma & Ba, ICLR 2015 (arXiv:1412.6980).
    """

    beta1: Beta = 0.9
    beta2: Beta = 0.999

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Torch's Adam."""
        return torch.optim.Adam(list(groups), betas=(self.beta1, self.beta2), fused=True)


class NAdam(OptimizerPart):
    """Adam with Nesterov's look ahead; weight decay apart from the gradient.

    Args:
        beta1: Weight of the past in the gradient's mean.
        beta2: Weight of the past in its square's mean.

    Source: Dozat, ICLR workshop 2016.
    """

    beta1: Beta = 0.9
    beta2: Beta = 0.999

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Torch's NAdam, decoupled."""
        betas = (self.beta1, self.beta2)
        return torch.optim.NAdam(list(groups), betas=betas, decoupled_weight_decay=True)


class AdamP(OptimizerPart):
    """Adam without the part of a step that only makes weights before a normalisation longer.

    Args:
        beta1: Weight of the past in the gradient's mean.
        beta2: Weight of the past in its square's mean.

    Source: Heo et al., ICLR 2021 (arXiv:2006.08217).
    """

    beta1: Beta = 0.9
    beta2: Beta = 0.999

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Timm's AdamP; weight decay apart from the gradient."""
        optimizer: torch.optim.Optimizer = TimmAdamP(list(groups), betas=(self.beta1, self.beta2))
        return optimizer
