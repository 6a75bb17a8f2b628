"""What a transfer penalty may know of the pretrained network, and what it becomes once it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spaces import InputError


@dataclass(frozen=True)
class Source:
    """The pretrained network, and the training images that it is taken to.

    Args:
        backbone: What its user calls it.
        make: Builds it with its pretrained weights, its own classifier among them where they have one.
        weights: The pretrained weights; none where training starts from random ones.
        train_batches: Passes over the training images: normalised inputs [B, C, H, W] as they are, labels [B],
            on the device of training.
        classes: Number of the new classes.
    """

    backbone: str
    make: Callable[[], nn.Module]
    weights: Mapping[str, NDArray[np.generic]] | None
    train_batches: Callable[[], Iterator[tuple[Tensor, Tensor]]]
    classes: int

    def must_be_pretrained(self, transfer: str) -> Mapping[str, NDArray[np.generic]]:
        """The weights, for the penalty called `transfer`.

        Raises:
            InputError: There are none.
        """
        if self.weights is None:
            raise InputError(
                f"transfer={transfer!r} needs pretrained weights, but model {self.backbone!r} starts from "
                "random ones: set transfer=none, or pretrained=true with a strategy other than 'scratch'"
            )
        return self.weights

    def frozen(self, like: nn.Module) -> nn.Module:
        """The pretrained network on the device of `like`, in evaluation mode, learning nothing."""
        model = self.make().to(next(like.parameters()).device)
        return model.eval().requires_grad_(False)


class BoundTransfer(Protocol):
    """A penalty that knows the network which it keeps near its source."""

    def forward(
        self, forward: Callable[[Tensor], Tensor], model: nn.Module, inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One pass through the network.

        Args:
            forward: The network as it is called: itself, or compiled. A penalty that has to see features
                calls `model` in its place.
            model: The network that learns.
            inputs: [B, C, H, W], normalised.
            targets: [B, classes], rows that sum to 1.

        Returns:
            Logits [B, classes], and what is added to the loss: float32 of no dimension, a mean over images.
        """
        ...

    def pull(self) -> None:
        """Add to the gradients of weights, where there are any, what the penalty asks of them.

        Called once a step, after loss scaling is undone and before clipping.
        """


class Transfer(Protocol):
    """A penalty that keeps a network near what its pretraining knew."""

    def bind(self, model: nn.Module, source: Source) -> BoundTransfer:
        """The penalty for `model`, which has its pretrained weights and is on its device.

        Raises:
            InputError: The source has no pretrained weights, or lacks what the penalty needs of them.
        """
        ...


class OnWeights:
    """Base of penalties that ask nothing of features: a pass is the network's alone. `pull` is left to say."""

    def forward(
        self, forward: Callable[[Tensor], Tensor], model: nn.Module, inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The network's logits, and 0."""
        return forward(inputs), torch.zeros((), device=inputs.device)


class OnFeatures:
    """Base of penalties on features: they leave weights alone. `forward` is left to say."""

    def pull(self) -> None:
        """Nothing: the penalty is in the loss."""
