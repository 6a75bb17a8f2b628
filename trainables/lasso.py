"""An L1 penalty on the weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Lasso:
    """Adds the gradient of ``strength · Σ|w|`` to gradients that are there.

    The penalty goes into the gradient and not into the loss: it needs no pass through the network, does
    not depend on how a batch is split, and the loss that is reported stays that of the data.

    Args:
        parameters: The weights, those that decay: a bias of zero is not simpler than another.
        strength: At least 0.

    Source: Tibshirani, "Regression Shrinkage and Selection via the Lasso", JRSS B, 1996.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], strength: float) -> None:
        self._parameters = list(parameters)
        self._strength = strength

    @torch.no_grad()
    def pull(self) -> None:
        """Add ``strength · sign(w)`` where there is a gradient: what is frozen stays."""
        for parameter in self._parameters:
            if parameter.grad is not None:
                parameter.grad.add_(parameter.sign(), alpha=self._strength)
