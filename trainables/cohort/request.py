"""One trial's wish for the gradient of a part of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from trainables.cohort.structure import structure_of
from trainables.passes import Judge


class Network:
    """A trial's network as a batched pass sees it, for as long as its modes and what learns stay as they are.

    Attributes:
        structure: See `trainables.cohort.structure`.
        weights: In the order of their names in the network.
        buffers: Likewise.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.structure = structure_of(model)
        self.weights = list(model.parameters())
        self.buffers = list(model.buffers())


@dataclass(eq=False)
class Request:
    """What a pass needs to know.

    Args:
        network: The trial's.
        inputs: [B, C, H, W], normalised.
        judge: What the logits are worth.
        generator: The trial's random numbers, on the device.
    """

    network: Network
    inputs: Tensor
    judge: Judge
    generator: torch.Generator
    figures: Tensor | None = field(default=None, init=False)
    answered: bool = field(default=False, init=False)
    together: int = field(default=1, init=False)

    @property
    def shape(self) -> Any:
        """Requests of one shape may be made as one."""
        return self.network.structure, tuple(self.inputs.shape), self.inputs.dtype

    def answer(self, figures: Tensor | None) -> None:
        """Its gradient is made; without figures the trial is to make it alone."""
        self.figures, self.answered = figures, True
