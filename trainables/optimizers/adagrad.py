"""AdaGrad: steps that shrink with all squared gradients so far."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from trainables.optimizers.optimizer import Groups, OptimizerPart


class Adagrad(OptimizerPart):
    """AdaGrad; weight decay is part of the gradient.

    Args:
        start: What the sum of squares begins with: 0 makes the first steps as large as the rate itself.

    Source: Duchi, Hazan & Singer, JMLR 2011.
    """

    start: Annotated[float, Field(ge=0)] = 0.1

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        """Torch's Adagrad."""
        return torch.optim.Adagrad(list(groups), initial_accumulator_value=self.start)
