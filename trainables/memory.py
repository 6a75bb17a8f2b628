"""Micro-batches that fit: halved when memory runs out, and remembered for the next trial of the same shape."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

MIB = 2**20

_REMEMBERED: dict[tuple[Hashable, ...], int] = {}
"""Shape of a trial's work → the largest micro-batch that is known to fit in this process."""


class DoesNotFit(RuntimeError):
    """Memory has no room for one single image: the only case in which a trial fails for lack of it."""


class LimitReached(torch.OutOfMemoryError):
    """The limit that a user has set is reached; treated like a device that has no more memory."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory has run out: of a GPU, of its libraries, of the machine, of the limit."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = ("DefaultCPUAllocator: can't allocate", "ALLOC_FAILED", "out of memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


class MicroBatch:
    """How many images one forward and backward pass takes.

    Args:
        largest: As many as are asked for.
        shape: What decides how much memory an image needs: a trial of the same shape begins with the size
            that the last one has found.
    """

    def __init__(self, largest: int, shape: tuple[Hashable, ...]) -> None:
        self._largest = largest
        self._shape = shape
        self._key: tuple[Hashable, ...] = shape

    def learning(self, parameters: int) -> None:
        """Say how many `parameters` learn from now on: frozen layers keep nothing for a backward pass."""
        self._key = (*self._shape, parameters)

    @property
    def size(self) -> int:
        """Images of one pass."""
        return min(self._largest, _REMEMBERED.get(self._key, self._largest))

    def at_most(self, size: int) -> None:
        """No more than `size` images fit elsewhere."""
        if size < self.size:
            _REMEMBERED[self._key] = size

    def halve(self, tried: int) -> dict[tuple[Hashable, ...], int]:
        """Memory ran out with `tried` images: take half of that from now on.

        Returns:
            What is known by that, for `remember` in another process.

        Raises:
            DoesNotFit: It was a single one.
        """
        if tried <= 1:
            raise DoesNotFit("one image must fit into memory, but the network's pass over one does not")
        _REMEMBERED[self._key] = tried // 2
        return {self._key: tried // 2}


def remember(micro: Mapping[tuple[Hashable, ...], int]) -> None:
    """Take over what another process has found out by `MicroBatch.halve`."""
    for key, size in micro.items():
        _REMEMBERED[key] = min(size, _REMEMBERED.get(key, size))


def forget() -> None:
    """Forget what fits: for tests, and for a machine whose memory has become free."""
    _REMEMBERED.clear()


class Snapshot:
    """What a failed attempt at a step may have changed: BatchNorm's statistics and the random numbers.

    With it a step that was repeated in smaller parts is the step that the smaller parts would have made
    in the first place.
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._live = list(model.buffers())
        self._kept = [buffer.detach().clone() for buffer in self._live]
        self._device = device

    @torch.no_grad()
    def take(self) -> None:
        """Note the state before a step."""
        if self._live:
            torch._foreach_copy_(self._kept, self._live)
        self._random = torch.get_rng_state()
        if self._device.type == "cuda":
            self._cuda = torch.cuda.get_rng_state(self._device)

    @torch.no_grad()
    def restore(self) -> None:
        """Put it back."""
        if self._live:
            torch._foreach_copy_(self._live, self._kept)
        torch.set_rng_state(self._random)
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(self._cuda, self._device)


def activations_limited(mib: float, weights: Callable[[], Iterator[Tensor]]) -> Callable[[], Any]:
    """A context for a forward pass, in which it may keep at most `mib` MiB for its backward pass.

    What is counted is what autograd really keeps, each piece of memory once, the weights apart: on any
    device the same number for the same network and batch, so out-of-memory can be had without a GPU.

    Args:
        mib: The limit, above 0.
        weights: The network's parameters and buffers, which are there anyway.

    Returns:
        A function that makes such a context; within it `LimitReached` is raised.
    """

    @contextmanager
    def context() -> Iterator[None]:
        seen = {tensor.untyped_storage().data_ptr() for tensor in weights()}
        kept = 0

        def pack(tensor: Tensor) -> Tensor:
            nonlocal kept
            place = tensor.untyped_storage().data_ptr()
            if place not in seen:
                seen.add(place)
                kept += tensor.untyped_storage().nbytes()
                if kept > mib * MIB:
                    raise LimitReached(
                        f"`memory_limit` MiB must hold what a forward pass keeps, but {kept / MIB:.1f} "
                        f"are needed and memory_limit={mib:g}"
                    )
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            yield

    return context


def limit_memory(mib: float | None, model: nn.Module, device: torch.device) -> Callable[[], Any]:
    """Keep a trial within `mib` MiB: on a GPU of the card's memory, elsewhere of what passes keep.

    Args:
        mib: The limit; none leaves it to the machine.
        model: The network.
        device: Where it runs.

    Returns:
        A function that makes a context for a forward pass.
    """
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(
            1.0 if mib is None else min(1.0, mib * MIB / total), device
        )
        return nullcontext
    if mib is None:
        return nullcontext

    def weights() -> Iterator[Tensor]:
        yield from model.parameters()
        yield from model.buffers()

    return activations_limited(mib, weights)
