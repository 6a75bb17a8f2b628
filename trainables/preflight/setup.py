"""What is looked at: one recipe on one data set, as the training loop would see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.generators import seeded


class Change(Enum):
    """One thing that a loop is made without, to find out whether it is what stands in the way."""

    NONE = "as it is"
    NO_AUGMENTATION = "without augmentation"
    NO_DROPOUT = "without dropout"
    FP32 = "in fp32"


class Loop(Protocol):
    """A training that is taken a step at a time. Made anew for each check, so nothing has to be put back.

    Attributes:
        model: The network, on its device.
        optimizer: A group without a ``name`` is called by its number.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What a step takes: inputs [B, C, H, W], changed and normalised as in training, and targets.

        Args:
            rows: Rows of the training images, [B].
        """
        ...

    def step(self, inputs: Tensor, targets: Tensor, pace: float = 1.0) -> Tensor:
        """One step of the optimizer, with all that the recipe does about it.

        Args:
            inputs: As `batch` gives them.
            targets: Likewise.
            pace: Factor on the recipe's peak learning rates.

        Returns:
            The loss before the step, 0-dim.
        """
        ...

    def logits(self, inputs: Tensor) -> Tensor:
        """What the network gives in the mode that it is in, in the recipe's arithmetic, [B, classes], float32."""
        ...

    def train(self) -> None:
        """Put each layer into the mode in which it is trained."""
        ...


@dataclass(frozen=True)
class Shown:
    """Some images of a split, as the network is given them where nothing is augmented.

    Args:
        inputs: [N, C, H, W], float32, on the network's device.
        labels: [N], in [0, classes).
        names: What people call the images; their rows if not given.
    """

    inputs: Tensor
    labels: Tensor
    names: Sequence[str] = ()

    def name(self, index: int) -> str:
        """What people call one of them."""
        return self.names[index] if self.names else f"number {index}"


@dataclass(frozen=True)
class Setup:
    """One recipe on one data set.

    Args:
        make: Makes the loop from the same beginning each time, with one thing changed.
        rate: The recipe's peak learning rate, above 0; of a group that is slower, its own is a share of it.
        train: Images that are learnt from; a loop's rows are theirs.
        val: Images that are judged by.
        classes: Names of the classes.
        pretrained: Whether the network knows anything yet.
        batch: Images of a step.
        changes: Which changes `make` can make.
    """

    make: Callable[[Change], Loop]
    rate: float
    train: Shown
    val: Shown
    classes: Sequence[str]
    pretrained: bool = True
    batch: int = 32
    changes: frozenset[Change] = frozenset()

    def loop(self, change: Change = Change.NONE) -> Loop:
        """A fresh loop."""
        return self.make(change)

    @classmethod
    def of(
        cls,
        *,
        model: Callable[[], nn.Module],
        optimizer: Callable[[nn.Module], torch.optim.Optimizer],
        train: tuple[Tensor, Tensor],
        val: tuple[Tensor, Tensor],
        classes: Sequence[str] | int,
        loss: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy,
        pretrained: bool = True,
        batch: int = 32,
        seed: int = 0,
    ) -> Setup:
        """The set-up of a loop of one's own: what `preflight` needs of a trainable that is not the project's.

        Args:
            model: Makes the network, in the same state each time `seed` is the same.
            optimizer: Makes its optimizer.
            train: Inputs [N, C, H, W] as the network is given them, and labels [N].
            val: Likewise.
            classes: Names of the classes, or how many there are.
            loss: (logits, labels) → mean loss.
            pretrained: Whether the network knows anything yet.
            batch: Images of a step.
            seed: Of the new parts of the network.
        """

        def make(change: Change) -> Loop:
            with seeded(seed):
                network = model()
            return PlainLoop(network, optimizer(network), loss, train)

        first = make(Change.NONE).optimizer
        return cls(
            make=make,
            rate=max(float(group["lr"]) for group in first.param_groups),
            train=Shown(*train),
            val=Shown(*val),
            classes=tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(classes),
            pretrained=pretrained,
            batch=batch,
        )


class PlainLoop:
    """The plainest loop there is: forward, backward, step.

    Args:
        model: The network.
        optimizer: Over its parameters.
        loss: (logits, labels) → mean loss.
        train: Inputs and labels of all training images.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss: Callable[[Tensor, Tensor], Tensor],
        train: tuple[Tensor, Tensor],
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self._loss, self._train = loss, train
        self._rates = [float(group["lr"]) for group in optimizer.param_groups]
        self.train()

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loop.batch`."""
        inputs, labels = self._train
        return inputs[rows], labels[rows]

    def step(self, inputs: Tensor, targets: Tensor, pace: float = 1.0) -> Tensor:
        """See `Loop.step`."""
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * pace
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.model(inputs), targets)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def logits(self, inputs: Tensor) -> Tensor:
        """See `Loop.logits`."""
        with torch.no_grad():
            given: Tensor = self.model(inputs)
        return given.float()

    def train(self) -> None:
        """See `Loop.train`."""
        self.model.train()
