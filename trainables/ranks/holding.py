"""How the weights of a trial are held by its processes: all by each, as a rule."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from trainables.evaluation import WithWeights


class Holding(Protocol):
    """Where the parts of a network and of its optimizer's state are, and how they are one again.

    Attributes:
        in_parts: Whether no process has them all.
    """

    in_parts: bool

    def place(self, model: nn.Module, device: torch.device) -> nn.Module:
        """A new network as it is trained on a device."""
        ...

    def figure(self, measured: Tensor) -> Tensor:
        """What was measured on weights, 0-dim, of all of them."""
        ...

    def whole(self, state: Any) -> Any:
        """A state of the network or of the optimizer with all of its weights, for a checkpoint of the first process."""
        ...

    def part(
        self, model: nn.Module, weights: Mapping[str, Tensor], device: torch.device
    ) -> dict[str, Tensor]:
        """Of weights from a checkpoint what this process holds, on its device."""
        ...

    def load(self, model: nn.Module, weights: Mapping[str, Tensor], *, strict: bool) -> None:
        """Put weights into a network that was placed. `strict` and what is raised: see `nn.Module.load_state_dict`."""
        ...

    def load_optimizer(self, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """Put back what `whole` gave of an optimizer's state."""
        ...

    def seen(self, model: nn.Module, weights: Mapping[str, Tensor]) -> AbstractContextManager[nn.Module]:
        """Within it, the network as it is with other weights and buffers, by name."""
        ...


class Entire:
    """Each process holds all weights. See `Holding`."""

    in_parts = False

    def place(self, model: nn.Module, device: torch.device) -> nn.Module:
        """On the device."""
        return model.to(device)

    def figure(self, measured: Tensor) -> Tensor:
        """As it is."""
        return measured

    def whole(self, state: Any) -> Any:
        """As it is."""
        return state

    def part(
        self, model: nn.Module, weights: Mapping[str, Tensor], device: torch.device
    ) -> dict[str, Tensor]:
        """All."""
        return {name: tensor.to(device) for name, tensor in weights.items()}

    def load(self, model: nn.Module, weights: Mapping[str, Tensor], *, strict: bool) -> None:
        """As torch does it."""
        model.load_state_dict(weights, strict=strict)

    def load_optimizer(self, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """As torch does it."""
        optimizer.load_state_dict(state)

    def seen(self, model: nn.Module, weights: Mapping[str, Tensor]) -> AbstractContextManager[nn.Module]:
        """Without a copy."""
        return nullcontext(WithWeights(model, weights))


ENTIRE = Entire()
