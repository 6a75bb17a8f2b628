"""Linear probing, then fine-tuning: first a head that fits the features, then everything together."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field
from torch import nn

from trainables.parts import Part
from trainables.strategies.layers import grouped, head_names, set_modes
from trainables.strategies.strategy import ParamGroup


class ProbeThenFinetune(Part):
    """The classifier learns alone on frozen features, then everything learns at one rate.

    A new head sends random gradients into good features; a head that has learned first does not. The
    schedule runs over both phases as one.

    Args:
        probe: Share of the budget that the head learns alone, in [0, 1), in whole epochs; the last epoch
            always trains everything.
        boost: The head's rate in the first phase over the rate of the second, above 0: a head alone bears
            rates that would destroy what lies below it.
        epochs: The trial's full budget, in epochs.

    Source: LP-FT of Kumar et al., ICLR 2022 (arXiv:2202.10054).
    """

    probe: Annotated[float, Field(ge=0, lt=1)] = 0.3
    boost: Annotated[float, Field(gt=0)] = 10.0
    epochs: Annotated[int, Field(ge=1)]

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """The groups ``head`` and ``body``, both at `lr`, asleep or not."""
        head = head_names(model)
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        return grouped(model, lambda name: "head" if name in head else "body", {"head": lr, "body": lr})

    def on_epoch(self, model: nn.Module, epoch: int) -> None:
        """The head alone up to the last epoch of probing, the rest in evaluation mode; then everything."""
        head = head_names(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(epoch > self.probed or name in head)
        set_modes(model)

    def pace(self, group: str, epoch: int) -> float:
        """`boost` while the head learns alone; then one."""
        return self.boost if epoch <= self.probed else 1.0

    @property
    def probed(self) -> int:
        """The last epoch in which the head learns alone; 0 if it never does."""
        return min(self.epochs - 1, math.ceil(self.probe * self.epochs - 1e-9))

    def first_change(self, depth: int) -> int:
        """The first epoch of fine-tuning."""
        return 1 + self.probed
