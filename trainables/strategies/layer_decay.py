"""Layer-wise learning-rate decay: the deeper below the head, the slower."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from trainables.strategies.layers import depth_of, geometric_rates, grouped, layer_ids
from trainables.strategies.steady import Steady
from trainables.strategies.strategy import ParamGroup


class LayerDecay(Steady):
    """Learning rates fall geometrically from the head to the stem.

    Args:
        ratio: The bottom layer's rate over the top's, in (0, 1]; γ is derived from the depth.

    Source: Clark et al., ELECTRA, ICLR 2020 (arXiv:2003.10555); Bao et al., BEiT, ICLR 2022.
    """

    ratio: Annotated[float, Field(gt=0, le=1)] = 0.1

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """One group a layer (two where some of its parameters take no weight decay)."""
        ids = layer_ids(model)
        rate = geometric_rates(lr, self.ratio, depth_of(model))
        return grouped(model, lambda name: f"layer {ids[name]}", lambda group: rate(int(group.split()[1])))
