"""L2-SP: weight decay towards the pretrained weights in place of zero."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from trainables.parts import Part
from trainables.strategies.layers import head_names
from trainables.transfer.none import Free
from trainables.transfer.source import BoundTransfer, OnWeights, Source


class L2SP(Part):
    """Adds the gradient of ``strength / 2 · ‖w − w₀‖²`` for all pretrained weights w; the new head is free.

    Like an L2 penalty it is part of the gradient, so the scaling of adaptive optimizers scales it too.
    Weight decay still pulls to zero meanwhile; where this is to take its place, set that to 0.

    Args:
        strength: α of the paper, at least 0; there 1e-4 to 1e-1.

    Source: Li, Grandvalet & Davoine, "Explicit Inductive Bias for Transfer Learning with Convolutional
    Networks", ICML 2018 (arXiv:1802.01483).
    """

    strength: Annotated[float, Field(ge=0)] = 1e-2

    def bind(self, model: nn.Module, source: Source) -> BoundTransfer:
        """Note the weights of `model` as they are now, with which it starts.

        Raises:
            InputError: They are not pretrained.
        """
        known = source.must_be_pretrained("l2_sp")
        if not self.strength:
            return Free()
        new = head_names(model)
        return Springs(
            [p for name, p in model.named_parameters() if name in known and name not in new], self.strength
        )


class Springs(OnWeights):
    """Pulls each of `parameters` back to where it is when this is made.

    Args:
        parameters: The pretrained ones.
        strength: Of the pull.
    """

    def __init__(self, parameters: list[nn.Parameter], strength: float) -> None:
        self._parameters = parameters
        self._starts = [parameter.detach().clone() for parameter in parameters]
        self._strength = strength

    @torch.no_grad()
    def pull(self) -> None:
        """Add ``strength · (w − w₀)`` where there is a gradient: what is frozen stays."""
        for parameter, start in zip(self._parameters, self._starts, strict=True):
            if parameter.grad is not None:
                parameter.grad.add_(parameter - start, alpha=self._strength)
