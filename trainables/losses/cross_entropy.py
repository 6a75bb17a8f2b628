"""Cross-entropy."""

from __future__ import annotations

from functools import partial

from torch import Tensor
from torch.nn import functional

from trainables.losses.loss import Losses
from trainables.parts import Part


class CrossEntropy(Part):
    """``−Σ t_c log p_c`` of each image."""

    def make(self, class_counts: Tensor, label_smoothing: float) -> Losses:
        """Torch's own, which takes soft labels."""
        return partial(functional.cross_entropy, reduction="none", label_smoothing=label_smoothing)
