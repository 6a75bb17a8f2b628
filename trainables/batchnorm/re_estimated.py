"""Statistics of the new images before training begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

from torch import Tensor, nn

from trainables.batchnorm.choice import Changed
from trainables.batchnorm.statistics import norms_of, re_estimate


class ReEstimated(Changed):
    """Before the first epoch the statistics are taken anew, from the training images.

    Layers that a strategy freezes then evaluate by the statistics of the images that they see. Where a
    BatchNorm learns, its statistics move on from there.

    Source: AdaBN of Li et al., 2016 (arXiv:1603.04779).
    """

    chosen_as: ClassVar[str] = "re_estimated"

    def prepare(self, model: nn.Module, batches: Callable[[], Iterator[Tensor]]) -> None:
        """Pass once over the training images."""
        for norm in norms_of(model):
            norm.training = True
        re_estimate(model, batches())
