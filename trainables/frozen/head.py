"""A network's classifier by itself, on the features that the rest of the network gives it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from trainables.batchnorm.statistics import norms_of
from trainables.precision import Precision
from trainables.strategies.layers import head_names
from trainables.transfer.features import at_the_door, classifier_of, classifier_prefix

CLOSE = 0.02
"""By how much of their size logits may differ between the two ways: bf16 rounds sums of another order otherwise."""


class Head:
    """The classifier of a network, with the dropout before it.

    Args:
        model: The network.
        dropout: What is dropped of the features, in [0, 1).
    """

    def __init__(self, model: nn.Module, dropout: float) -> None:
        self._model = model
        self._dropout = dropout
        self._prefix = classifier_prefix(model)

    def __call__(self, features: Tensor) -> Tensor:
        """Logits [B, classes] of features [B, …], in training."""
        dropped = functional.dropout(features, self._dropout, training=True)
        logits: Tensor = classifier_of(self._model)(dropped)
        return logits.flatten(1)

    @torch.inference_mode()
    def evaluate(self, shown: nn.Module, features: Tensor, weights: Mapping[str, Tensor] | None) -> Tensor:
        """Logits of features as the classifier of `shown` gives them, or with its part of `weights`."""
        classifier = classifier_of(shown).eval()
        if weights is None:
            logits: Tensor = classifier(features)
        else:
            own = {
                name.removeprefix(self._prefix): tensor
                for name, tensor in weights.items()
                if name.startswith(self._prefix)
            }
            logits = functional_call(classifier, own, (features,))
        return logits.flatten(1)


def learns_alone(model: nn.Module) -> bool:
    """Whether nothing but the classifier changes: no other weights learn, no statistics are collected."""
    head = head_names(model)
    frozen = all(name in head or not parameter.requires_grad for name, parameter in model.named_parameters())
    return frozen and not any(norm.training for norm in norms_of(model))


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """The network in evaluation mode inside, each module as it was before outside."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@torch.inference_mode()
def features_of(model: nn.Module, batches: Iterable[Tensor], precision: Precision) -> Iterator[Tensor]:
    """What the classifier is given for inputs [B, C, H, W], batch by batch: [B, …], float32, on the processor."""
    with _evaluating(model):
        for inputs in batches:
            with precision.autocast():
                features = at_the_door(model, model, inputs)[1]
            yield features.float().cpu()


@torch.inference_mode()
def features_an_image(model: nn.Module, inputs: Tensor, precision: Precision) -> int:
    """How many numbers the classifier is given of an image; 0 where the network is more than its classifier on them.

    The classifier of some architectures is a pair, or something comes after it. Tried on a batch [B, C, H, W].
    """
    if not classifier_prefix(model):
        return 0
    with _evaluating(model), precision.autocast():
        logits, features = at_the_door(model, model, inputs)
        alone = classifier_of(model)(features).flatten(1)
    if alone.shape != logits.shape:
        return 0
    difference = (alone.float() - logits.float()).abs().max()
    same = bool(difference <= CLOSE * logits.float().abs().max())
    return features[0].numel() if same else 0
