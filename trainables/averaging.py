"""Exponential moving average of a network, with its off state a null object."""

from __future__ import annotations

from typing import Any, Protocol

from timm.utils.model_ema import ModelEmaV3
from torch import nn


class Averaging(Protocol):
    """What validation looks at: the network itself or an average of it."""

    def update(self, model: nn.Module) -> None:
        """Take in the network after one more step of the optimizer."""

    def module(self, model: nn.Module) -> nn.Module:
        """The network to validate and to keep."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What a continuation needs."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` gave."""


class NoAverage:
    """The network as it is."""

    def update(self, model: nn.Module) -> None:
        """Nothing to take in."""

    def module(self, model: nn.Module) -> nn.Module:
        """The network itself."""
        return model

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to put back."""


class MovingAverage:
    """Average of weights *and* buffers (timm's ModelEmaV3): BatchNorm's statistics belong to the weights.

    Args:
        model: The network at its start.
        decay: Weight of the past a step, in (0, 1); it rises to that value over the first steps,
            ``1 − (1 + step) ** −⅔`` with `step` counted from 0, so that short trainings are not held
            back by their start: after the first step the average is the network.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._average = ModelEmaV3(model, decay=decay, use_warmup=True)
        self._step = 0

    def update(self, model: nn.Module) -> None:
        """One step of the average."""
        self._step += 1
        self._average.update(model, step=self._step)

    def module(self, model: nn.Module) -> nn.Module:
        """The averaged network, in evaluation mode."""
        module: nn.Module = self._average.module
        return module

    def state_dict(self) -> dict[str, Any]:
        """Averaged weights and the number of steps taken."""
        return {"module": self._average.module.state_dict(), "step": self._step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` gave."""
        self._average.module.load_state_dict(state["module"])
        self._step = int(state["step"])


def make_averaging(model: nn.Module, decay: float) -> Averaging:
    """A moving average, or none where `decay` is 0."""
    return MovingAverage(model, decay) if decay else NoAverage()
