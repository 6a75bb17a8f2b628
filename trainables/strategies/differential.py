"""Differential learning rates: one for the lower half of the body, one for the upper, one for the head."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from trainables.strategies.layers import depth_of, grouped, layer_ids
from trainables.strategies.steady import Steady
from trainables.strategies.strategy import ParamGroup

Share = Annotated[float, Field(gt=0, le=1)]


class Differential(Steady):
    """Three groups of layers, each with its own rate, all learning from the first step.

    The defaults are fastai's ``slice(lr / 100, lr)`` over the three groups that it cuts a network into.
    In place of one number for all, as there, each half of the body has its own.

    Args:
        bottom: The rate of the lower half of the layers below the head (the stem, and the middle one of an
            odd number) over the head's, in (0, 1].
        middle: The rate of the upper half over the head's, in (0, 1].

    Source: discriminative fine-tuning of Howard & Ruder, ULMFiT, ACL 2018 (arXiv:1801.06146), section
    3.1; in groups: Howard & Gugger, fastai, 2020 (arXiv:2002.04688).
    """

    bottom: Share = 0.01
    middle: Share = 0.1

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """The groups ``bottom``, ``middle`` and ``head`` (each two where some of it takes no weight decay)."""
        ids = layer_ids(model)
        below = depth_of(model) - 1

        def label(name: str) -> str:
            if ids[name] == below:
                return "head"
            return "bottom" if 2 * ids[name] < below else "middle"

        return grouped(model, label, {"bottom": lr * self.bottom, "middle": lr * self.middle, "head": lr})
