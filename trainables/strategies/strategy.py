"""What a fine-tuning strategy is: which parameters learn, how fast, and from when on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import nn


@dataclass(frozen=True)
class ParamGroup:
    """Parameters that share a learning rate.

    Args:
        name: For people: ``layer 3`` or ``head``.
        params: The parameters themselves.
        lr: Their peak learning rate; the schedule scales it.
        decays: Whether weight decay applies: not to biases and norms (timm's rule).
    """

    name: str
    params: tuple[nn.Parameter, ...]
    lr: float
    decays: bool


class Strategy(Protocol):
    """One way to fine-tune. Strategies are parts whose fields are their options.

    None keeps a state: what an epoch asks for follows from its number, so a resumed trial goes on as if
    it had never stopped.
    """

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        """All parameters that will ever learn; `lr` is the peak rate of the network's top.

        Parameters that never learn have `requires_grad` switched off here.
        """
        ...

    def on_epoch(self, model: nn.Module, epoch: int) -> None:
        """Put every module into the mode that `epoch` (counted from 1) asks for: learning or frozen."""
        ...

    def pace(self, group: str, epoch: int) -> float:
        """What the peak rate of the groups called `group` is multiplied by all through `epoch`; at least 0."""
        ...

    def first_change(self, depth: int) -> int:
        """The first epoch whose set of learning layers differs from epoch 1's; 1 if it never does.

        A trial should not be judged before it. `depth` is the network's number of layers as
        `trainables.strategies.layers.layer_ids` counts them.
        """
        ...
