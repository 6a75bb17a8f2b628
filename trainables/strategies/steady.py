"""What strategies have in common that do the same in every epoch."""

from __future__ import annotations

from torch import nn

from trainables.parts import Part
from trainables.strategies.layers import set_modes


class Steady(Part):
    """A strategy whose learning layers and rates never change on the way; `groups` is left to say."""

    def on_epoch(self, model: nn.Module, epoch: int) -> None:
        """What learns trains, the rest evaluates; the same in every epoch."""
        set_modes(model)

    def pace(self, group: str, epoch: int) -> float:
        """One: the schedule alone moves the rates."""
        return 1.0

    def first_change(self, depth: int) -> int:
        """Nothing ever changes."""
        return 1
