"""One trial's wish for the gradient of a part of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from trainables.passes import Judge


@dataclass(eq=False)
class Request:
    """What a pass needs to know.

    Args:
        model: The trial's network.
        structure: See `trainables.cohort.structure`.
        inputs: [B, C, H, W], normalised.
        judge: What the logits are worth.
        generator: The trial's random numbers, on the device.
    """

    model: nn.Module
    structure: int
    inputs: Tensor
    judge: Judge
    generator: torch.Generator
    figures: Tensor | None = field(default=None, init=False)
    answered: bool = field(default=False, init=False)
    together: int = field(default=1, init=False)

    @property
    def shape(self) -> Any:
        """Requests of one shape may be made as one."""
        return self.structure, tuple(self.inputs.shape), self.inputs.dtype

    def answer(self, figures: Tensor | None) -> None:
        """Its gradient is made; without figures the trial is to make it alone."""
        self.figures, self.answered = figures, True
