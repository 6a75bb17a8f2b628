"""How much an image of each class counts in the loss."""

from __future__ import annotations

from typing import Annotated, Protocol

import torch
from pydantic import Field
from torch import Tensor

from trainables.parts import Part


class ClassWeights(Protocol):
    """Weights of classes, from how many training images they have."""

    def weights(self, class_counts: Tensor) -> Tensor:
        """A weight a class, [C], in any unit: `scaled` makes their mean over the training images 1.

        Args:
            class_counts: Training images a class, [C], float64. What the weight of a class without any
                is does not matter.
        """
        ...


class NoWeights(Part):
    """Every image counts alike."""

    def weights(self, class_counts: Tensor) -> Tensor:
        """Ones."""
        return torch.ones_like(class_counts)


class Inverse(Part):
    """The fewer images a class has, the more each of them counts: ``n_c^−power``.

    Args:
        power: 1 makes all classes count equally as a whole, 0.5 goes half the way, 0 weighs images alike; in
            [0, 1].

    Source: King & Zeng, "Logistic Regression in Rare Events Data", 2001, as scikit-learn's ``balanced``;
    powers below 1 as in sampling by square roots (Mahajan et al., ECCV 2018).
    """

    power: Annotated[float, Field(ge=0, le=1)] = 1.0

    def weights(self, class_counts: Tensor) -> Tensor:
        """``n^−power``."""
        return class_counts**-self.power


class Effective(Part):
    """The inverse of each class's effective number of images: more of the same say less and less that is new.

    Args:
        beta: 0 weighs images alike; towards 1 the weights approach one over the number of images. In [0, 1).

    Source: Cui et al., CVPR 2019 (arXiv:1901.05555), equation 2.
    """

    beta: Annotated[float, Field(ge=0, lt=1)] = 0.999

    def weights(self, class_counts: Tensor) -> Tensor:
        """``1 / (1 − β^n)``; what is left out of ``(1 − β) / (1 − β^n)`` is the same for all classes."""
        log_beta = torch.log(class_counts.new_tensor(self.beta))
        return -1.0 / torch.expm1(class_counts * log_beta)  # 1 − β^n loses its digits where β is nearly 1


def scaled(chosen: ClassWeights, class_counts: Tensor) -> Tensor:
    """The weights that `chosen` gives, with a mean of 1 over the training images, [C], float32.

    So the learning rate keeps its meaning, whatever the weights. A class without training images has the
    weight 0, not an infinite one; no training image asks for it.

    Args:
        chosen: How classes are weighed.
        class_counts: Training images a class, [C]; at least one image in all.
    """
    counts = class_counts.double()
    weights = torch.where(counts > 0, chosen.weights(counts), 0.0)
    mean = (weights * counts).sum() / counts.sum()
    return (weights / mean).float()
