"""What two networks must have in common for one pass to serve both."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from torch import Tensor, nn

from trainables.cohort.chance import RATES

PLAIN = (bool, int, float, str, type(None))


_NUMBERS: dict[Hashable, int] = {}
"""Structures that this process has seen."""


def structure_of(model: nn.Module) -> int:
    """A number: the same for networks that compute the same of weights, buffers and inputs, and learn the same weights.

    Rates of dropout and of stochastic depth may differ: each trial draws with its own. Whether there is any may not.
    """
    structure = tuple((name, _of_module(module)) for name, module in model.named_modules())
    return _NUMBERS.setdefault(structure, len(_NUMBERS))


def _of_module(module: nn.Module) -> Hashable:
    settings = tuple(
        (name, bool(value) if name in RATES else _fixed(value))
        for name, value in sorted(vars(module).items())
        if _is_plain(value)
    )
    hooks = tuple(
        getattr(hook, "__qualname__", type(hook).__name__)
        for kind in (module._forward_pre_hooks, module._forward_hooks)
        for hook in kind.values()
    )
    parameters = tuple(
        (name, p.requires_grad, _form(p)) for name, p in module.named_parameters(recurse=False)
    )
    buffers = tuple((name, _form(buffer)) for name, buffer in module.named_buffers(recurse=False))
    return type(module), settings, hooks, parameters, buffers


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return isinstance(value, PLAIN)


def _fixed(value: Any) -> Hashable:
    """What can be compared once the module has changed it."""
    return tuple(map(_fixed, value)) if isinstance(value, (tuple, list)) else value


def _form(tensor: Tensor) -> Hashable:
    return tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype, str(tensor.device)
