"""Feature extraction: the pretrained network is frozen, a new head learns on its features."""

from __future__ import annotations

from torch import nn

from trainables.strategies.layers import grouped, head_names
from trainables.strategies.steady import Steady
from trainables.strategies.strategy import ParamGroup


class FeatureExtraction(Steady):
    """Only the classifier learns; the rest is in evaluation mode, BatchNorm included.

    Source: the linear probe of Kornblith et al., CVPR 2019 (arXiv:1805.08974).
    """

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """The classifier's parameters, all at `lr`."""
        head = head_names(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in head)
        return grouped(model, lambda name: "head", {"head": lr})
