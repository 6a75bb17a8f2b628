"""Gradual unfreezing: the head learns first, then one layer after the other down to the stem."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field
from torch import nn

from trainables.parts import Part
from trainables.strategies.layers import depth_of, geometric_rates, grouped, layer_ids, set_modes
from trainables.strategies.strategy import ParamGroup


class GradualUnfreezing(Part):
    """Layers wake from the top down, at even intervals, each at a smaller rate.

    Args:
        ratio: The bottom layer's rate over the top's, in (0, 1].
        unfrozen_by: Share of the budget after which every layer learns, in [0, 1].
        epochs: The trial's full budget, in epochs.

    Source: Howard & Ruder, ULMFiT, ACL 2018 (arXiv:1801.06146), section 3.3.
    """

    ratio: Annotated[float, Field(gt=0, le=1)] = 0.1
    unfrozen_by: Annotated[float, Field(ge=0, le=1)] = 0.5
    epochs: Annotated[int, Field(ge=1)]

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """One group a layer (two where some of its parameters take no weight decay), asleep or not."""
        ids = layer_ids(model)
        rate = geometric_rates(lr, self.ratio, depth_of(model))
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        return grouped(model, lambda name: f"layer {ids[name]}", lambda group: rate(int(group.split()[1])))

    def on_epoch(self, model: nn.Module, epoch: int) -> None:
        """Wake the layers whose epoch has come; those below stay frozen, in evaluation mode."""
        ids = layer_ids(model)
        depth = depth_of(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(epoch >= self.wakes(ids[name], depth))
        set_modes(model)

    def pace(self, group: str, epoch: int) -> float:
        """One: a layer that wakes does so at its own rate."""
        return 1.0

    def wakes(self, layer: int, depth: int) -> int:
        """The epoch, counted from 1, in which `layer` (0 is the stem of `depth` layers) begins to learn."""
        below_top = depth - 1 - layer
        wait = self.unfrozen_by * self.epochs * below_top / max(1, depth - 1)
        return 1 + min(self.epochs, math.ceil(wait - 1e-9))

    def first_change(self, depth: int) -> int:
        """The epoch in which the layer below the head wakes."""
        return self.wakes(depth - 2, depth) if depth > 1 else 1
