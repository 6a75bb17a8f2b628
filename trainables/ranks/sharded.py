"""Weights, gradients and the optimizer's state in parts, one a process: for a network that is too large for one GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from trainables.ranks.group import Group


class Sharded(Group):
    """Processes of which each holds a part of every weight (FSDP), and of a layer all while it computes it.

    As for `trainables.ranks.ranks.Ranks` and `trainables.ranks.holding.Holding`. Gradients arrive as sums of all
    processes' already.

    Source: Rajbhandari et al., ZeRO, SC 2020 (arXiv:1910.02054), stage 3; by torch's ``fully_shard``.
    """

    in_parts = True

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.holding = self

    def reduce(self, parameters: Sequence[nn.Parameter]) -> None:
        """They are."""

    def check(self, parameters: Sequence[nn.Parameter]) -> None:
        """No weight is held twice."""

    def place(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Block by block: what goes through the network needs a block's weights at a time."""
        mesh = init_device_mesh(device.type, (self.size,))
        model = model.to(
            memory_format=torch.contiguous_format
        )  # FSDP takes no weights in channels-last memory
        for block in _blocks(model):
            fully_shard(block, mesh=mesh)
        fully_shard(model, mesh=mesh)
        for module in model.modules():
            if isinstance(module, FSDPModule):  # else the mean
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)  # gloo knows no other
        return model.to(device)  # the buffers; weights are there

    def figure(self, measured: Tensor) -> Tensor:
        """Put together."""
        return _full(measured)

    def whole(self, state: Any) -> Any:
        """On the processor, tensor by tensor, since the device has no room for all; and once for all processes."""
        if isinstance(state, DTensor):
            whole = _full(state)
            return torch.empty(0) if self.number else whole.cpu()
        if isinstance(state, Mapping):
            return {key: self.whole(value) for key, value in state.items()}
        if isinstance(state, list):
            return [self.whole(value) for value in state]
        return state

    def part(
        self, model: nn.Module, weights: Mapping[str, Tensor], device: torch.device
    ) -> dict[str, Tensor]:
        """As the network's own are held."""
        live = model.state_dict()
        return {name: _like(tensor, live.get(name)).to(device) for name, tensor in weights.items()}

    def load(self, model: nn.Module, weights: Mapping[str, Tensor], *, strict: bool) -> None:
        """Each process takes its part."""
        live = model.state_dict()
        model.load_state_dict(
            {name: _like(tensor, live.get(name)) for name, tensor in weights.items()}, strict=strict
        )

    def load_optimizer(self, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """Each process takes its part of what is as large as a weight."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        parts = {
            index: {
                name: _like(value, parameters[index])
                if isinstance(value, Tensor) and value.shape == parameters[index].shape
                else value
                for name, value in states.items()
            }
            for index, states in state["state"].items()
        }
        optimizer.load_state_dict({**state, "state": parts})

    @contextmanager
    def seen(self, model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[nn.Module]:
        """The others are kept meanwhile: a sharded network has no room for a second one's names."""
        kept = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.load(model, weights, strict=False)
        try:
            yield model
        finally:
            self.load(model, kept, strict=True)


def _blocks(model: nn.Module) -> list[nn.Module]:
    """What is called one after the other, the innermost first: elements of sequences that have layers of their own."""
    found = []
    for sequence in model.modules():
        if isinstance(sequence, nn.Sequential | nn.ModuleList):
            found += [
                block for block in sequence if len(list(block.parameters())) and len(list(block.children()))
            ]
    return list(reversed(dict.fromkeys(found)))


def _full(tensor: Tensor) -> Tensor:
    whole: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return whole


def _like(tensor: Tensor, live: Tensor | None) -> Tensor:
    """This process's part of a tensor that all have, if the live one is in parts."""
    if not isinstance(live, DTensor) or isinstance(tensor, DTensor):
        return tensor
    whole = tensor.to(live.device)
    return distribute_tensor(whole, live.device_mesh, live.placements, src_data_rank=None)
