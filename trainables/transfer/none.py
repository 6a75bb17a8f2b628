"""No penalty: fine-tuning is free to go anywhere."""

from __future__ import annotations

from torch import nn

from trainables.parts import Part
from trainables.transfer.source import OnWeights, Source


class Free(OnWeights):
    """Of no network: the null object among bound penalties."""

    def pull(self) -> None:
        """Nothing pulls."""


class NoTransfer(Part):
    """Nothing but the loss; also what every other penalty is at a strength of 0."""

    def bind(self, model: nn.Module, source: Source) -> Free:
        """Any network will do, pretrained or not."""
        return Free()
