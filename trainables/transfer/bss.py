"""Batch spectral shrinkage: what of the pretrained features is hardly used is let go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.parts import Part
from trainables.transfer.features import classifier_of, in_full_precision, with_features
from trainables.transfer.none import Free
from trainables.transfer.source import BoundTransfer, OnFeatures, Source


class BSS(Part):
    """Adds ``strength · Σ σ²`` over the `count` smallest singular values σ of a batch's features [B, D].

    Directions in which features hardly vary are those that transfer badly; the others stay free. Features
    are pooled, as the classifier sees them. A batch that is split to fit into memory has the spectra of its
    parts, and their mean. Features that end in a LayerNorm of scale 1 and shift 0 have a direction without
    any spread: with as many images as features or more there the smallest value is 0, and pulls at nothing.

    Args:
        strength: η of the paper, at least 0; there 1e-3.
        count: k of the paper, at least 1; there 1. A batch has as many values as the smaller of B and D.

    Source: Chen et al., "Catastrophic Forgetting Meets Negative Transfer: Batch Spectral Shrinkage for
    Safe Transfer Learning", NeurIPS 2019.
    """

    strength: Annotated[float, Field(ge=0)] = 1e-3
    count: Annotated[int, Field(ge=1)] = 1

    def bind(self, model: nn.Module, source: Source) -> BoundTransfer:
        """Nothing is kept of the source.

        Raises:
            InputError: It is not pretrained, or the model has no classifier that timm knows.
        """
        source.must_be_pretrained("bss")
        classifier_of(model)
        return Shrinkage(self.strength, self.count) if self.strength else Free()


class Shrinkage(OnFeatures):
    """The small end of the spectrum of a batch's features.

    Args:
        strength: Of the penalty.
        count: How many singular values.
    """

    def __init__(self, strength: float, count: int) -> None:
        self._strength = strength
        self._count = count

    def forward(
        self, forward: Callable[[Tensor], Tensor], model: nn.Module, inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The network's logits, and the penalty on this batch; `model` is called in place of `forward`."""
        logits, features = with_features(model, model, inputs)
        with in_full_precision(inputs.device):
            return logits, self._strength * smallest(features.float(), self._count)


def smallest(features: Tensor, count: int) -> Tensor:
    """The sum of the `count` smallest squared singular values of `features` [B, D], float32.

    Features that are not finite, of a training that has diverged, give a sum that is not finite either: it
    is for the loop to say so, and not for the linear algebra.
    """
    if not bool(torch.isfinite(features).all()):
        return features.sum() * torch.nan
    # The values alone, and not the vectors: their gradient is defined where two of them are equal.
    values: Tensor = torch.linalg.svdvals(features)
    return values[-count:].square().sum()
