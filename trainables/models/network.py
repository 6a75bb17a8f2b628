"""From a backbone and its weights to the network of one trial."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import timm
import torch
from torch import Tensor, nn

from spaces import InputError, locate
from trainables.batchnorm import count_once
from trainables.memory_format import AS_USUAL, torch_format
from trainables.models.backbone import Backbone, Weights
from trainables.strategies.layers import head_names

HEAD_SPREAD = 1.5
"""Times torch's own deviation for a linear layer, 1 / √(3 · inputs), above which a new classifier begins too large."""

KNOBS = {"drop_rate": "dropout", "drop_path_rate": "drop_path"}
"""timm's names for what a recipe sets → ours."""


def make_network(
    backbone: Backbone,
    weights: Weights | None,
    *,
    classes: int,
    channels: int,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    checkpointing: bool = False,
    memory_format: str = AS_USUAL,
) -> nn.Module:
    """The network, its head new and random (from torch's global generator), the rest from `weights`.

    Args:
        backbone: Which architecture.
        weights: Pretrained weights; none leaves it random.
        classes: Outputs of the new head.
        channels: Channels of the images; the first layer's weights are adapted.
        dropout: Before the head, in [0, 1).
        drop_path: Stochastic depth, in [0, 1).
        checkpointing: Compute activations again in the backward pass and do not keep them.
        memory_format: The order in memory of what convolutions learn, by its name in `trainables.memory_format`.

    Raises:
        InputError: The architecture cannot take an argument, or the weights are another's.
    """
    model = _create(backbone, classes, channels, {"drop_rate": dropout, "drop_path_rate": drop_path})
    if weights is not None:
        head = head_names(model)
        _load(model, backbone, weights, head)
        _calm(model, head)
    if checkpointing:
        _checkpoint(model, backbone)
    return model.to(memory_format=torch_format(memory_format))


def make_source(
    backbone: Backbone, weights: Weights, channels: int, memory_format: str = AS_USUAL
) -> nn.Module:
    """The pretrained network itself, with the classifier that its weights have, or none where they have none.

    Args:
        backbone: Which architecture.
        weights: Its pretrained weights.
        channels: Channels of the images; the first layer's weights are adapted.
        memory_format: As of `make_network`.

    Raises:
        InputError: The weights are another architecture's.
    """
    some = _create(backbone, 1, channels, {})
    names = head_names(some)
    heads = [weights[name] for name in names if name in weights and weights[name].ndim > 1]
    model = _create(backbone, heads[0].shape[0] if heads else 0, channels, {})
    _load(model, backbone, weights, set() if heads else names)
    return model.to(memory_format=torch_format(memory_format))


def _create(backbone: Backbone, classes: int, channels: int, knobs: dict[str, float]) -> nn.Module:
    arguments: dict[str, Any] = {
        **backbone.arguments,
        **{name: value for name, value in knobs.items() if value},
    }
    try:
        model: nn.Module = _maker(backbone)(num_classes=classes, in_chans=channels, **arguments)
    except TypeError as error:
        wrong = next((name for name in arguments if f"'{name}'" in str(error)), None)
        if wrong is None:
            raise
        raise InputError(
            f"model {backbone.name!r} cannot take {KNOBS.get(wrong, wrong)!r}: fix it to 0 or leave it out"
        ) from None
    return model


def _maker(backbone: Backbone) -> Callable[..., nn.Module]:
    """Makes the architecture: timm's, or a function of the user's own with the same arguments."""
    if ":" not in backbone.architecture:
        return partial(timm.create_model, backbone.architecture)
    own = locate(backbone.architecture)
    if not callable(own):
        raise InputError(f"model {backbone.name!r} must be a function, but is a {type(own).__name__}")

    def make(**arguments: Any) -> nn.Module:
        model = own(**arguments)
        if not isinstance(model, nn.Module):
            raise InputError(
                f"model {backbone.name!r} must return a torch module, but got {type(model).__name__}"
            )
        return model

    return make


def _checkpoint(model: nn.Module, backbone: Backbone) -> None:
    switch: Any = getattr(model, "set_grad_checkpointing", None)
    law = f"model {backbone.name!r} cannot take 'gradient_checkpointing': set it to false"
    if switch is None:
        raise InputError(law)
    try:
        switch(True)
    except AssertionError:  # how timm's models say that they cannot
        raise InputError(law) from None
    count_once(model)


def _load(model: nn.Module, backbone: Backbone, weights: Weights, head: set[str]) -> None:
    """Fill `model` from `weights`, all but its `head`."""
    target = model.state_dict()
    taken: dict[str, Tensor] = {}
    for name, array in weights.items():
        if name in head or name not in target:
            continue
        tensor = torch.from_numpy(array.copy())
        taken[name] = _adapt_channels(tensor, target[name])
        if taken[name].shape != target[name].shape:
            raise InputError(
                f"the weights must fit model {backbone.name!r}, but {name!r} is {tuple(tensor.shape)} in the "
                f"file and {tuple(target[name].shape)} in the model"
            )
    missing = sorted(set(target) - head - set(taken))
    if missing:
        raise InputError(
            f"the weights must fit model {backbone.name!r}, but the file lacks {len(missing)} of its "
            f"{len(target)} tensors, {missing[0]!r} first"
        )
    model.load_state_dict(taken, strict=False)


@torch.no_grad()
def _calm(model: nn.Module, head: set[str]) -> None:
    """Shrink a new classifier that its architecture begins with large weights: by outputs and not by inputs, say.

    On pretrained features, which are large, its guesses would be sure and wrong, and the first epochs would go into
    unlearning them (`docs/transfer.md`).
    """
    for name, weight in model.named_parameters():
        if name in head and weight.ndim > 1:
            usual = 1 / math.sqrt(3 * weight[0].numel())
            spread = float(weight.std())
            if spread > HEAD_SPREAD * usual:
                weight.mul_(usual / spread)


def _adapt_channels(source: Tensor, target: Tensor) -> Tensor:
    """A first convolution for other channels: the mean of the old ones, scaled to keep activations."""
    same_but_channels = (
        source.ndim == 4
        and source.shape[0] == target.shape[0]
        and source.shape[2:] == target.shape[2:]
        and source.shape[1] != target.shape[1]
        and {source.shape[1], target.shape[1]} & {1, 3}
    )
    if not same_but_channels:
        return source
    old, new = source.shape[1], target.shape[1]
    return source.mean(1, keepdim=True).expand(-1, new, -1, -1).contiguous() * (old / new)
