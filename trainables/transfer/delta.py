"""DELTA: the network shall go on seeing images as the pretrained one does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.parts import Part
from trainables.transfer.features import in_full_precision
from trainables.transfer.none import Free
from trainables.transfer.source import BoundTransfer, OnFeatures, Source


class Delta(Part):
    """Adds ``strength · ‖F(x) − F₀(x)‖² / ‖F₀(x)‖²``, F the last feature maps, mean over the images x.

    Behaviour is kept in place of weights. The paper sums squares over several layers, each channel with a
    weight of its own; here it is the last layer's, which every architecture of timm has, its channels all
    alike, and relative to the size of the pretrained maps, so that a strength means the same for all
    networks. A step costs another forward pass, through the frozen pretrained network.

    Args:
        strength: At least 0.

    Source: Li et al., "DELTA: DEep Learning Transfer using feature map with Attention for convolutional
    networks", ICLR 2019 (arXiv:1901.09229), with the uniform attention of its ablation.
    """

    strength: Annotated[float, Field(ge=0)] = 0.1

    def bind(self, model: nn.Module, source: Source) -> BoundTransfer:
        """Build the pretrained network beside the one that learns.

        Raises:
            InputError: There are no pretrained weights.
        """
        source.must_be_pretrained("delta")
        return Likeness(source.frozen(model), self.strength) if self.strength else Free()


class Likeness(OnFeatures):
    """The distance of a network's feature maps from those of `pretrained`.

    Args:
        pretrained: Frozen, in evaluation mode.
        strength: Of the penalty.
    """

    def __init__(self, pretrained: nn.Module, strength: float) -> None:
        self._pretrained: Any = pretrained  # timm's, whose two halves torch does not know
        self._strength = strength

    def forward(
        self, forward: Callable[[Tensor], Tensor], model: nn.Module, inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The network's logits, and the distance on these inputs; `model` is called in place of `forward`."""
        learning: Any = model
        with torch.no_grad():
            wanted = self._pretrained.forward_features(inputs)
        maps = learning.forward_features(inputs)
        logits = learning.forward_head(maps)
        with in_full_precision(inputs.device):
            wanted = wanted.float().flatten(1)
            far = (maps.float().flatten(1) - wanted).square().sum(1)
            size = wanted.square().sum(1).clamp_min(torch.finfo(torch.float32).eps)
            return logits, self._strength * (far / size).mean()
