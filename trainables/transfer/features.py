"""One pass through a network that also shows what its classifier sees."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from spaces import InputError


def classifier_of(model: nn.Module) -> nn.Module:
    """The classifier: the first where a network has several.

    Raises:
        InputError: The architecture has none that timm knows (`get_classifier`).
    """
    get_classifier = getattr(model, "get_classifier", None)
    if get_classifier is None:
        raise InputError(
            f"this transfer needs a model with timm's `get_classifier`, but {type(model).__name__} has none"
        )
    heads = get_classifier()
    first: nn.Module = heads[0] if isinstance(heads, (tuple, list)) else heads
    return first


def classifier_prefix(model: nn.Module) -> str:
    """What the names of the classifier's weights begin with; empty where that cannot be told of a single one."""
    heads = getattr(model, "get_classifier", lambda: ())()
    if isinstance(heads, (tuple, list)):
        return ""
    return next((f"{name}." for name, module in model.named_modules() if module is heads and name), "")


def with_features(
    model: nn.Module, forward: Callable[[Tensor], Tensor], inputs: Tensor
) -> tuple[Tensor, Tensor]:
    """What `forward` gives for `inputs`, and the pooled features that the classifier of `model` saw meanwhile.

    See `at_the_door`.

    Args:
        model: The network.
        forward: It, or the part of it from feature maps on; it calls the classifier once.
        inputs: What `forward` takes.

    Returns:
        Logits [B, classes], and features [B, D].
    """
    logits, features = at_the_door(model, forward, inputs)
    return logits, features.flatten(1)


def at_the_door(
    model: nn.Module, forward: Callable[[Tensor], Tensor], inputs: Tensor
) -> tuple[Tensor, Tensor]:
    """What `forward` gives for `inputs`, and what the classifier of `model` was given meanwhile, in its own shape.

    They are taken at the classifier's door, and not computed from the feature maps once more: so they are
    the very ones that the logits come from, dropout included, whatever head an architecture has.

    Args:
        model: The network.
        forward: It, or the part of it from feature maps on; it calls the classifier once.
        inputs: What `forward` takes.

    Returns:
        Logits [B, classes], and features [B, …].
    """
    seen: list[Tensor] = []
    # Only for this pass: a hook that stays would be copied with the network, and keep its features alive.
    handle = classifier_of(model).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        logits = forward(inputs)
    finally:
        handle.remove()
    return logits, seen[0]


def in_full_precision(device: torch.device) -> torch.autocast:
    """A context without mixed precision: sums of squares overflow in fp16 and lose their end in bf16."""
    return torch.autocast(device.type, enabled=False)
