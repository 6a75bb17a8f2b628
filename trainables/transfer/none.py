"""No penalty: fine-tuning is free to go anywhere."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainables.parts import Part
from trainables.transfer.source import Source


class Free:
    """Of no network: the null object among bound penalties."""

    def forward(
        self, forward: Callable[[Tensor], Tensor], model: nn.Module, inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The network's logits, and 0."""
        return forward(inputs), torch.zeros((), device=inputs.device)

    def pull(self) -> None:
        """Nothing pulls."""


class NoTransfer(Part):
    """Nothing but the loss; also what every other penalty is at a strength of 0."""

    def bind(self, model: nn.Module, source: Source) -> Free:
        """Any network will do, pretrained or not."""
        return Free()
