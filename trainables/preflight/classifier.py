"""Where a network's classifier is."""

from __future__ import annotations

from torch import nn


def classifier_of(model: nn.Module) -> nn.Module | None:
    """The last linear layer, as timm's models name it; none where there is none that can be found."""
    named = getattr(model, "get_classifier", None)
    head = named() if named is not None else None
    if isinstance(head, nn.Linear):
        return head
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return linear[-1] if linear else None
