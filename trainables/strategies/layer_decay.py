"""Layer-wise learning-rate decay: the deeper below the head, the slower."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from trainables.strategies.layers import depth_of, geometric_rates, grouped, layer_ids, set_modes
from trainables.strategies.strategy import ParamGroup


@dataclass(frozen=True)
class LayerDecay:
    """Learning rates fall geometrically from the head to the stem.

    Args:
        ratio: The bottom layer's rate over the top's, in (0, 1]; γ is derived from the depth.

    Source: Clark et al., ELECTRA, ICLR 2020 (arXiv:2003.10555); Bao et al., BEiT, ICLR 2022.
    """

    ratio: float

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """One group a layer (two where some of its parameters take no weight decay)."""
        ids = layer_ids(model)
        rate = geometric_rates(lr, self.ratio, depth_of(model))
        return grouped(model, lambda name: f"layer {ids[name]}", lambda group: rate(int(group.split()[1])))

    def on_epoch(self, model: nn.Module, epoch: int) -> None:
        """Everything trains, in every epoch."""
        set_modes(model)

    def first_change(self, depth: int) -> int:
        """Nothing ever changes."""
        return 1
