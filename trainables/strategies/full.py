"""Full fine-tuning, and training from scratch: everything learns at one rate from the first step."""

from __future__ import annotations

from torch import nn

from trainables.strategies.layers import grouped
from trainables.strategies.steady import Steady
from trainables.strategies.strategy import ParamGroup


class Full(Steady):
    """Every parameter learns at the same rate.

    With pretrained weights this is full fine-tuning; the strategy ``scratch`` is the same from
    random ones, and the builder then loads none.
    """

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """All parameters at `lr`."""
        return grouped(model, lambda name: "all", {"all": lr})
