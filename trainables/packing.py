"""A state as it is at one moment, its many small tensors as a few large ones.

Hundreds of small tensors take longer to pickle than to write.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MARK = "\0tensor"
"""The key of what stands in a tensor's place."""
SMALL = 2**20
"""Bytes; a larger tensor stays by itself, so that no state of a large network is in memory twice."""
WITH_KEYS, WITHOUT = (dict, OrderedDict), (list, tuple)
"""What is gone through; of another kind, a counter say, nobody knows how it is made of its parts."""
CONSTANT = (type(None), bool, int, float, complex, str, bytes)

Place = tuple[str, int, tuple[int, ...], tuple[int, ...]]
"""Of a tensor: which large one it is in, from which element on, its shape and its strides."""


@dataclass(frozen=True)
class Packed:
    """What `pack` makes of a state.

    Args:
        marked: The state with marks in place of its small tensors.
        flat: Those tensors end to end, by their type.
    """

    marked: Any
    flat: dict[str, Tensor]


def pack(state: Any, *, own: bool = False) -> Packed:
    """A state with its small tensors end to end.

    Plain dictionaries, lists and tuples are gone through; anything else stays as it is.

    Args:
        state: What a trial goes on from.
        own: Nothing of it may be the state's own memory: the state goes on changing.
    """
    parts: dict[str, list[Tensor]] = {}
    ends: dict[str, int] = {}

    def visit(value: Any) -> Any:
        if isinstance(value, Tensor):
            if own and value.device.type != "cpu":
                value = value.detach().cpu()
            return place(value) if _is_small_and_dense(value) else _copied(value) if own else value
        if type(value) in WITH_KEYS:
            return type(value)((key, visit(inner)) for key, inner in value.items())
        if type(value) in WITHOUT:
            return type(value)(visit(inner) for inner in value)
        return copy.deepcopy(value) if own and type(value) not in CONSTANT else value

    def place(tensor: Tensor) -> dict[str, Place]:
        kind = str(tensor.dtype)
        start = ends.get(kind, 0)
        ends[kind] = start + tensor.numel()
        # As it lies in memory, so that the order of its dimensions there survives without a copy.
        parts.setdefault(kind, []).append(tensor.as_strided((tensor.numel(),), (1,)))
        return {MARK: (kind, start, tuple(tensor.shape), tuple(tensor.stride()))}

    marked = visit(state)
    return Packed(marked, {kind: torch.cat(flat) for kind, flat in parts.items()})


def unpack(packed: Packed) -> Any:
    """The state that it was made from; tensors are as they were, down to their strides."""

    def visit(value: Any) -> Any:
        if type(value) in WITH_KEYS:
            if set(value) == {MARK}:
                kind, start, shape, strides = value[MARK]
                return packed.flat[kind].as_strided(shape, strides, start).clone()
            return type(value)((key, visit(inner)) for key, inner in value.items())
        if type(value) in WITHOUT:
            return type(value)(visit(inner) for inner in value)
        return value

    return visit(packed.marked)


def size_of(state: Any) -> int:
    """Bytes of a state's tensors."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, dict):
        return sum(map(size_of, state.values()))
    return sum(map(size_of, state)) if isinstance(state, (list, tuple)) else 0


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


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
