"""Several networks of one structure as a single batched one."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import functional_call

from trainables.cohort.chance import template
from trainables.cohort.request import Request
from trainables.precision import Precision

CLOSE = 1e-3
"""Of the largest: sums of another order, through many layers."""


class Stack:
    """Room for the weights and buffers of so many networks, and the way through all of them at once.

    Args:
        like: One of them.
        size: How many.

    Source: torch's documentation, model ensembling (``torch.func``).
    """

    def __init__(self, like: nn.Module, size: int) -> None:
        self.size = size
        # What has no batched form, a mean over all pixels say, is done network by network; torch would warn each time.
        torch._C._functorch._set_vmap_fallback_warning_enabled(False)  # type: ignore[attr-defined]
        self._template, self._chance = template(like)
        self._weights = {
            name: _room(parameter, size).requires_grad_(parameter.requires_grad)
            for name, parameter in like.named_parameters()
        }
        self._buffers = {name: _room(buffer, size) for name, buffer in like.named_buffers()}
        self._weight_places = _places(self._weights.values(), size)
        self._buffer_places = _places(self._buffers.values(), size)

    def run(self, requests: Sequence[Request], precision: Precision) -> None:
        """Give each request its figures, its network its gradients and statistics.

        Nothing of any of them has changed where this raises.

        Args:
            requests: As many as there is room for, of one shape.
            precision: Arithmetic and device of all.
        """
        self._take(requests)
        generators = [request.generator for request in requests] if self._chance.is_drawn else []
        before = [generator.get_state() for generator in generators]
        self._chance.set([request.network.model for request in requests], generators)
        inputs = _stacked([request.inputs for request in requests])
        try:
            with precision.autocast(), self._chance:
                logits = torch.vmap(self._call, randomness="error")(self._weights, self._buffers, inputs)
            none = torch.zeros((), device=inputs.device)
            judged = [request.judge(logits[i], none) for i, request in enumerate(requests)]
            torch.stack([loss for loss, _ in judged]).sum().backward()
            self._give(requests)
        except BaseException:
            for generator, state in zip(generators, before, strict=True):
                generator.set_state(state)
            self._forget()
            raise
        self._forget()
        for request, (_, figures) in zip(requests, judged, strict=True):
            request.together = self.size
            request.answer(figures)

    @torch.no_grad()
    def agrees(self, requests: Sequence[Request]) -> bool:
        """Whether each network by itself gives the same logits and statistics, nothing being dropped.

        What is neither a weight nor a buffer nor a plain setting of a module is not known to `structure_of`: a tensor
        or a dictionary that differs from trial to trial, a function that knows one network, a buffer that is replaced.
        """
        self._take(requests)
        twins = [copy.deepcopy(request.network.model) for request in requests]
        self._chance.switch_off(twins)
        with self._chance:
            logits = torch.vmap(self._call, randomness="error")(
                self._weights, self._buffers, _stacked([request.inputs for request in requests])
            )
        return all(
            _close(own, together)
            for i, (request, twin) in enumerate(zip(requests, twins, strict=True))
            for own, together in [
                (twin(request.inputs), logits[i]),
                *((buffer, self._buffers[name][i]) for name, buffer in twin.named_buffers()),
            ]
        )

    def _forget(self) -> None:
        for weights in self._weights.values():
            weights.grad = None

    def _call(self, weights: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor) -> Tensor:
        logits: Tensor = functional_call(self._template, (weights, buffers), (inputs,))
        return logits

    @torch.no_grad()
    def _take(self, requests: Sequence[Request]) -> None:
        torch._foreach_copy_(
            [*self._weight_places, *self._buffer_places],
            [
                *chain.from_iterable(request.network.weights for request in requests),
                *chain.from_iterable(request.network.buffers for request in requests),
            ],
        )

    @torch.no_grad()
    def _give(self, requests: Sequence[Request]) -> None:
        """Nothing here needs memory, so that none is given half."""
        for number, stacked in enumerate(self._weights.values()):
            if stacked.grad is None:
                continue
            for request, made in zip(requests, stacked.grad.unbind(), strict=True):
                weights = request.network.weights[number]
                if weights.grad is None:
                    weights.grad = made
                else:
                    weights.grad.add_(made)
        if self._buffer_places:
            buffers = list(chain.from_iterable(request.network.buffers for request in requests))
            torch._foreach_copy_(buffers, self._buffer_places)


def _close(one: Tensor, other: Tensor) -> bool:
    """True too where a network has diverged and there is nothing to compare."""
    differ, largest = (one.double() - other.double()).abs(), one.double().abs()
    return not bool((differ > CLOSE * largest.amax()).any()) if one.numel() else True


def _places(rooms: Iterable[Tensor], size: int) -> list[Tensor]:
    """Each network's place in each room, network after network."""
    with torch.no_grad():
        parts = [room.detach().unbind() for room in rooms]
    return [part[i] for i in range(size) for part in parts]


def _room(tensor: Tensor, size: int) -> Tensor:
    """For `size` tensors like this one, [size, …]; each lies in memory as this one does."""
    steps = tensor.stride()
    order = sorted(range(tensor.ndim), key=lambda axis: -steps[axis])
    shape = [tensor.shape[axis] for axis in order]
    room = torch.empty((size, *shape), dtype=tensor.dtype, device=tensor.device)
    return room.permute(0, *(1 + order.index(axis) for axis in range(tensor.ndim)))


def _stacked(inputs: Sequence[Tensor]) -> Tensor:
    """[trials, B, …], each as it lies in memory."""
    room = _room(inputs[0], len(inputs))
    torch._foreach_copy_([room[i] for i in range(len(inputs))], list(inputs))
    return room
