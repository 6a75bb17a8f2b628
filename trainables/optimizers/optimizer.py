"""What a part of kind ``optimizer`` is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import torch
from pydantic import Field

from trainables.parts import Part

Groups: TypeAlias = Sequence[dict[str, Any]]
"""As torch takes them: ``params``, ``lr``, ``weight_decay``; ``peak_lr`` and ``name`` go with them."""

Beta = Annotated[float, Field(ge=0, lt=1)]
"""Weight of the past in a moving average, in [0, 1)."""


class OptimizerPart(Part, ABC):
    """Base of a recipe's choice of an optimizer.

    Args:
        rate: Factor on the strategy's learning rates, above 0: SGD wants ten to a hundred times what suits
            AdamW, Lion a third to a tenth, and one space searches them all.
    """

    rate: Annotated[float, Field(gt=0)] = 1.0

    @abstractmethod
    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """The optimizer over `groups`. The loop sets each group's ``lr`` before every step."""


class WithBetas(OptimizerPart):
    """Base of the optimizers with two running means, of the gradient and (but for Lion) of its square.

    Args:
        beta1: Weight of the past in the gradient's mean.
        beta2: Weight of the past in its square's mean.
    """

    beta1: Beta = 0.9
    beta2: Beta = 0.999

    @property
    def betas(self) -> tuple[float, float]:
        """Both, as optimizers take them."""
        return self.beta1, self.beta2
