"""Many small tensors of a state as a few large ones, which are written and read in a fraction of the time."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

MARK = "\0tensor"
"""The key of what stands in a tensor's place."""
SMALL = 2**20
"""Bytes; a larger tensor stays by itself, so that no state of a large network is in memory twice."""

Place = tuple[str, int, tuple[int, ...], tuple[int, ...]]
"""Of a tensor: which large one it is in, from which element on, its shape and its strides."""


def pack(state: Any) -> tuple[Any, dict[str, Tensor]]:
    """A state with marks in place of its small tensors, and those tensors end to end, by their type.

    Dictionaries, lists and tuples are gone through; anything else stays as it is.

    Args:
        state: What a trial goes on from.
    """
    parts: dict[str, list[Tensor]] = {}
    ends: dict[str, int] = {}

    def visit(value: Any) -> Any:
        if isinstance(value, Tensor):
            return place(value) if _is_small_and_dense(value) else value
        if type(value) in (dict, OrderedDict):
            return type(value)((key, visit(inner)) for key, inner in value.items())
        if type(value) in (list, tuple):
            return type(value)(visit(inner) for inner in value)
        return value

    def place(tensor: Tensor) -> dict[str, Place]:
        kind = str(tensor.dtype)
        start = ends.get(kind, 0)
        ends[kind] = start + tensor.numel()
        # As it lies in memory, so that the order of its dimensions there survives without a copy.
        parts.setdefault(kind, []).append(tensor.as_strided((tensor.numel(),), (1,)))
        return {MARK: (kind, start, tuple(tensor.shape), tuple(tensor.stride()))}

    marked = visit(state)
    return marked, {kind: torch.cat(flat) for kind, flat in parts.items()}


def unpack(marked: Any, flat: dict[str, Tensor]) -> Any:
    """The state that `pack` made these from; tensors are as they were, down to their strides."""
    if isinstance(marked, dict):
        if set(marked) == {MARK}:
            kind, start, shape, strides = marked[MARK]
            return flat[kind].as_strided(shape, strides, start).clone()
        return type(marked)((key, unpack(inner, flat)) for key, inner in marked.items())
    if type(marked) in (list, tuple):
        return type(marked)(unpack(inner, flat) for inner in marked)
    return marked


def _is_small_and_dense(tensor: Tensor) -> bool:
    """Whether it can be laid end to end with others: a plain one, with one place in memory for each element."""
    return (
        type(tensor) is Tensor
        and not tensor.requires_grad
        and tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and not (tensor.is_quantized or tensor.is_conj() or tensor.is_neg())
        and tensor.numel() * tensor.element_size() <= SMALL
        and (
            tensor.is_contiguous()
            or (tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last))
        )
    )
