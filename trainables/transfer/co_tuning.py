"""Co-tuning: the pretrained classifier teaches too, through what its classes say about the new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from spaces import InputError
from trainables.parts import Part
from trainables.transfer.features import classifier_of, in_full_precision, with_features
from trainables.transfer.none import Free
from trainables.transfer.source import BoundTransfer, OnFeatures, Source


class CoTuning(Part):
    """Adds ``strength`` times the cross-entropy of the source's classifier on the new features.

    What it shall say of an image is p(source class | its class), learned once from the training images:
    the mean of the pretrained network's probabilities over the images of a class (the direct one of the
    paper's two ways, without calibration). Where the paper trains the source's classifier further, here it
    stays as it was pretrained, and the gradient goes into the features.

    Args:
        strength: λ of the paper, at least 0; 2.3 in its authors' code.

    Source: You et al., "Co-Tuning for Transfer Learning", NeurIPS 2020.
    """

    strength: Annotated[float, Field(ge=0)] = 1.0

    def bind(self, model: nn.Module, source: Source) -> BoundTransfer:
        """Build the pretrained network; the relation is learned when the first batch comes.

        Raises:
            InputError: There are no pretrained weights, or no classifier among them.
        """
        source.must_be_pretrained("co_tuning")
        pretrained = source.frozen(model)
        if not any(True for _ in classifier_of(pretrained).parameters()):
            raise InputError(
                "transfer='co_tuning' needs pretrained weights with their classifier, but those of model "
                f"{source.backbone!r} have none: set transfer=none or another penalty"
            )
        return Teacher(pretrained, source, self.strength) if self.strength else Free()


class Teacher(OnFeatures):
    """The source's classifier, and what it shall say of each new class.

    Args:
        pretrained: The source's network, frozen, in evaluation mode.
        source: Whose training images the relation is learned from.
        strength: Of the penalty.
    """

    def __init__(self, pretrained: nn.Module, source: Source, strength: float) -> None:
        self._pretrained: nn.Module | None = pretrained
        self._classifier = classifier_of(pretrained)
        self._source = source
        self._strength = strength
        self._relation = torch.empty(0)

    def forward(
        self, forward: Callable[[Tensor], Tensor], model: nn.Module, inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The network's logits, and the cross-entropy; `model` is called in place of `forward`."""
        logits, features = with_features(model, model, inputs)
        with in_full_precision(inputs.device):
            wanted = targets.float() @ self._learned()
            said = self._classifier(self._shaped(features.float())).flatten(1)
            return logits, self._strength * functional.cross_entropy(said, wanted)

    def _learned(self) -> Tensor:
        """The relation [classes, source classes], learned when it is first asked for.

        Not in `bind`, which also serves to find out whether a recipe can be trained at all.
        """
        if self._pretrained is not None:
            self._relation = relation(self._pretrained, self._source.train_batches(), self._source.classes)
            self._pretrained = None  # only its classifier is needed from now on
        return self._relation

    def _shaped(self, features: Tensor) -> Tensor:
        """[B, D] as the classifier takes it: some are convolutions over one pixel."""
        return features[:, :, None, None] if isinstance(self._classifier, nn.Conv2d) else features


@torch.no_grad()
def relation(pretrained: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], classes: int) -> Tensor:
    """p(source class | class), [classes, source classes]: rows that sum to 1.

    Args:
        pretrained: The source's network, in evaluation mode.
        batches: Inputs [B, C, H, W] and labels [B].
        classes: Number of the new classes; the row of one without images says nothing: all alike.
    """
    sums = counts = torch.zeros(())
    for inputs, labels in batches:
        chances = pretrained(inputs).float().softmax(1)
        of_class = functional.one_hot(labels, classes).T.to(chances)  # a product repeats itself on a GPU
        sums = sums.to(chances) + of_class @ chances
        counts = counts.to(chances) + of_class.sum(1, keepdim=True)
    return torch.where(counts > 0, sums / counts.clamp_min(1), 1 / sums.shape[1])
