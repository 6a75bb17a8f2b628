"""Another speed for the running statistics."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from trainables.batchnorm.choice import Changed
from trainables.batchnorm.statistics import norms_of


class Momentum(Changed):
    """Running statistics that follow the batches faster or slower.

    Args:
        momentum: Weight of the newest batch, in (0, 1] (torch's meaning: 0.1 is its default).

    Source: Ioffe & Szegedy, ICML 2015 (arXiv:1502.03167); of small fine-tuning sets, Kornblith et al.,
    CVPR 2019 (arXiv:1805.08974), who lower it with the number of steps an epoch.
    """

    chosen_as: ClassVar[str] = "momentum"
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1

    def bind(self, model: nn.Module, name: str) -> None:
        """Set it in every BatchNorm.

        Raises:
            InputError: The model has none.
        """
        super().bind(model, name)
        for norm in norms_of(model):
            norm.momentum = self.momentum
