"""Feature extraction: the pretrained network is frozen, a new head learns on its features."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from trainables.strategies.layers import grouped, head_names, set_modes
from trainables.strategies.strategy import ParamGroup


@dataclass(frozen=True)
class FeatureExtraction:
    """Only the classifier learns; the rest is in evaluation mode, BatchNorm included.

    Source: the linear probe of Kornblith et al., CVPR 2019 (arXiv:1805.08974).
    """

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """The classifier's parameters, all at `lr`."""
        head = head_names(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in head)
        return grouped(model, lambda name: "head", {"head": lr})

    def on_epoch(self, model: nn.Module, epoch: int) -> None:
        """The head trains, the backbone evaluates; the same in every epoch."""
        set_modes(model)

    def first_change(self, depth: int) -> int:
        """Nothing ever changes."""
        return 1
