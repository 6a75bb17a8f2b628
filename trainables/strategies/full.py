"""Full fine-tuning, and training from scratch: everything learns at one rate from the first step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from trainables.strategies.layers import grouped, set_modes
from trainables.strategies.strategy import ParamGroup


@dataclass(frozen=True)
class Full:
    """Every parameter learns at the same rate.

    With pretrained weights this is full fine-tuning; the strategy ``scratch`` is the same from
    random ones, and the builder then loads none.
    """

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """All parameters at `lr`."""
        return grouped(model, lambda name: "all", {"all": lr})

    def on_epoch(self, model: nn.Module, epoch: int) -> None:
        """Everything trains, in every epoch."""
        set_modes(model)

    def first_change(self, depth: int) -> int:
        """Nothing ever changes."""
        return 1
