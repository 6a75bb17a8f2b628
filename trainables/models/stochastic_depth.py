"""timm's stochastic depth in a network, and something else in its place."""

from __future__ import annotations

from collections.abc import Callable

from timm.layers import DropPath
from torch import nn


def replace_paths(model: nn.Module, make: Callable[[str, DropPath], nn.Module]) -> None:
    """Put what `make` makes of a name and a module in the place of each that drops something.

    At a rate of 0 timm's draws nothing, and stays.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, DropPath) and module.drop_prob:
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, make(name, module).train(module.training))
