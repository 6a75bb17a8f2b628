"""Small tensors end to end are the tensors that they were."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables import checkpoint
from trainables.packing import SMALL, pack, size_of, unpack

TYPES = [torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.bool, torch.uint8, torch.complex64]


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Of any type and shape, some channels last, sliced, transposed, expanded, or with a gradient."""
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    made = (torch.rand(shape) * 9).to(draw(st.sampled_from(TYPES)))
    change = draw(st.sampled_from(["none", "channels last", "slice", "transpose", "expand", "gradient"]))
    if change == "channels last" and made.ndim == 4:
        return made.to(memory_format=torch.channels_last)
    if change == "slice" and made.ndim and made.shape[0] > 1:
        return made[1:]
    if change == "transpose" and made.ndim > 1:
        return made.transpose(0, 1)
    if change == "expand":
        return made.unsqueeze(0).expand(3, *shape)
    if change == "gradient" and made.is_floating_point():
        return made.requires_grad_()
    return made


def states() -> st.SearchStrategy[Any]:
    leaves = tensors() | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
            | st.dictionaries(st.text(), inner, max_size=3).map(OrderedDict)
            | st.dictionaries(st.text(), st.integers(), max_size=3).map(Counter)
        ),
        max_leaves=12,
    )


def same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and (one.stride() == other.stride() or one.numel() <= 1 or 0 in other.stride())
            and torch.equal(one, other)
        )
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@given(states(), st.booleans())
def test_what_is_packed_is_unpacked_again(state, own):
    packed = pack(state, own=own)
    assert same(unpack(packed), state)
    assert len(packed.flat) <= len(TYPES)
    assert all(tensor.ndim == 1 for tensor in packed.flat.values())


@given(states())
def test_what_is_packed_as_ones_own_stays_as_it_was(state):
    packed = pack(state, own=True)
    before = unpack(packed)
    for tensor in tensors_in(state):
        with torch.no_grad():
            tensor.zero_() if not tensor.is_contiguous() and 0 in tensor.stride() else tensor.fill_(1)
    assert same(unpack(packed), before)
    assert size_of(state) >= size_of(packed.flat)


def tensors_in(state: Any) -> list[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return [state]
    inner = state.values() if isinstance(state, dict) else state if isinstance(state, (list, tuple)) else ()
    return [tensor for value in inner for tensor in tensors_in(value)]


@given(st.dictionaries(st.text(), states(), max_size=3))
def test_a_checkpoint_gives_back_what_it_was_given(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("packed") / "last.pt"
    checkpoint.save(path, state)
    assert same(checkpoint.load(path), state)


def test_what_was_loaded_is_nobody_elses_memory():
    state = {"a": torch.zeros(3), "b": torch.zeros(3)}
    found = unpack(pack(state))
    found["a"] += 1
    assert torch.equal(found["b"], torch.zeros(3))
    assert torch.equal(state["a"], torch.zeros(3))


def test_large_tensors_stay_by_themselves():
    large, small = torch.zeros(SMALL // 4 + 1), torch.ones(SMALL // 4)
    state = {"large": large, "small": small, "own": [bytearray(b"1")]}
    packed = pack(state)
    assert packed.marked["large"] is large
    assert {kind: len(tensor) for kind, tensor in packed.flat.items()} == {"torch.float32": len(small)}
    own = pack(state, own=True)
    large += 1
    state["own"][0][0] = 50
    assert torch.equal(own.marked["large"], torch.zeros_like(large))
    assert own.marked["own"] == [bytearray(b"1")]


def test_a_file_of_before_is_read(tmp_path):
    torch.save({"epoch": 3, "model": {"weight": torch.ones(2)}}, tmp_path / "last.pt")
    assert same(checkpoint.load(tmp_path / "last.pt"), {"epoch": 3, "model": {"weight": torch.ones(2)}})
