"""The pretrained statistics, used and kept."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from trainables.batchnorm.choice import Changed
from trainables.batchnorm.statistics import norms_of


class Frozen(Changed):
    """Every BatchNorm normalises by its pretrained statistics, in training too; scale and shift learn.

    Source: what detection does with its small batches since He et al., CVPR 2016 (arXiv:1512.03385),
    appendix A; there scale and shift are frozen too.
    """

    chosen_as: ClassVar[str] = "frozen"

    def on_epoch(self, model: nn.Module) -> None:
        """Put BatchNorm into evaluation mode, but not what is inside of it."""
        for norm in norms_of(model):
            norm.training = False
