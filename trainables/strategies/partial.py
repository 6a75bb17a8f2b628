"""Partial fine-tuning: the lowest layers stay as they were pretrained, the others learn."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from trainables.strategies.layers import depth_of, grouped, layer_ids
from trainables.strategies.steady import Steady
from trainables.strategies.strategy import ParamGroup


class Partial(Steady):
    """The lowest layers never learn and are in evaluation mode, BatchNorm included; the rest has one rate.

    Args:
        frozen: Share of the layers below the head that never learn, in [0, 1], to the nearest layer: 0
            is full fine-tuning, 1 leaves the top layer alone.

    Source: Yosinski et al., NeurIPS 2014 (arXiv:1411.1792); as a knob, ``pct_to_freeze`` of Arango et
    al., Quick-Tune, ICLR 2024 (arXiv:2306.03828).
    """

    frozen: Annotated[float, Field(ge=0, le=1)] = 0.5

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """The parameters of the layers that learn, all at `lr`."""
        ids = layer_ids(model)
        first = self.first_learning(depth_of(model))
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(ids[name] >= first)
        return grouped(model, lambda name: "all", {"all": lr})

    def first_learning(self, depth: int) -> int:
        """The lowest of `depth` layers that learns; 0 is the stem."""
        return int(self.frozen * (depth - 1) + 0.5)
