"""One forward and one backward pass over as many images as fit: what a step's gradient is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from trainables.precision import Precision
from trainables.transfer.source import BoundTransfer

Judge = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(Logits [B, classes], what the features add to the loss) → what is differentiated, of no dimension, and figures."""


class Passes(Protocol):
    """Adds the gradient of a part of a batch to each learning parameter's ``.grad``."""

    @property
    def together(self) -> float:
        """How many trials' passes were made as one, on average since the epoch began; 1 where always alone."""
        ...

    def begin(self) -> None:
        """An epoch begins: the modes of layers, and which weights learn, stay as they are until the next one."""

    def __call__(self, inputs: Tensor, targets: Tensor, judge: Judge) -> Tensor:
        """Forward and backward.

        Args:
            inputs: [B, C, H, W], normalised.
            targets: [B, classes], rows that sum to 1.
            judge: What the logits are worth.

        Returns:
            The figures of `judge`.
        """
        ...

    def outputs(self, inputs: Tensor) -> Tensor:
        """Logits [B, classes] in whatever arithmetic is asked for around it; nothing is learnt from it."""
        ...


class Alone:
    """The passes of one network by itself.

    Args:
        model: The network.
        forward: The network as it is called: itself, or compiled.
        transfer: What else is asked of the features.
        precision: Arithmetic and device.
        limited: Makes the context of a forward pass.
    """

    together = 1.0

    def __init__(
        self,
        model: nn.Module,
        forward: Callable[[Tensor], Tensor],
        transfer: BoundTransfer,
        precision: Precision,
        limited: Callable[[], Any],
    ) -> None:
        self._model, self._forward, self._transfer = model, forward, transfer
        self._precision, self._limited = precision, limited

    def begin(self) -> None:
        """Nothing depends on it."""

    def __call__(self, inputs: Tensor, targets: Tensor, judge: Judge) -> Tensor:
        """See `Passes`."""
        with self._limited(), self._precision.autocast():
            logits, extra = self._transfer.forward(self._forward, self._model, inputs, targets)
        loss, figures = judge(logits, extra)
        loss.backward()
        return figures

    def outputs(self, inputs: Tensor) -> Tensor:
        """See `Passes`. A compiled network is not compiled again for it."""
        with torch.compiler.set_stance("force_eager"):
            return self._forward(inputs)
