"""What the steps of an epoch work on: images through the whole network, as a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from trainables.augmentation import Mixing
from trainables.data.batches import Split
from trainables.evaluation import Normalise, predict
from trainables.gradients import Gradients
from trainables.instruments import Laps
from trainables.precision import Precision
from trainables.ranks import ONE, Ranks


class Course(Protocol):
    """One epoch's way from rows of the training split to gradients, and from a network to what validation sees."""

    @property
    def gradients(self) -> Gradients:
        """Makes the gradients of a batch."""
        ...

    @property
    def whole(self) -> bool:
        """Whether all of the network may change; if not, only its classifier does."""
        ...

    def batch(self, rows: Tensor, laps: Laps) -> tuple[Tensor, Tensor]:
        """What `gradients` takes: inputs and targets [B, classes] of some rows of the training split.

        Args:
            rows: Their numbers, [B].
            laps: Told what the time goes into.
        """
        ...

    def logits(self, shown: nn.Module, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """What a network gives for the validation images, [N, classes], float32. Leaves it in evaluation mode.

        Args:
            shown: The network in training, or an average of it.
            weights: Seen with these in place of its own.
        """
        ...


@dataclass(frozen=True)
class OnImages:
    """Images, changed and mixed anew at each step, through all of the network.

    Args:
        train: What is learnt from.
        val: What validation sees.
        augment: Changes images [B, C, H, W] in [0, 1].
        mixing: Of images with each other.
        hard: Label → target: the unit matrix, on the device, [classes, classes].
        normalise: From [0, 1] to what the network expects.
        gradients: Of the whole network.
        precision: Arithmetic and device.
        ranks: The processes that share the validation.
    """

    train: Split
    val: Split
    augment: Callable[[Tensor], Tensor]
    mixing: Mixing
    hard: Tensor
    normalise: Normalise
    gradients: Gradients
    precision: Precision
    ranks: Ranks = ONE

    @property
    def whole(self) -> bool:
        """All of the network may change."""
        return True

    def batch(self, rows: Tensor, laps: Laps) -> tuple[Tensor, Tensor]:
        """Normalised images [B, C, H, W], and targets."""
        images, labels = self.train.draw(rows.to(self.train.labels.device))
        laps.lap("data")
        images, targets = self.mixing(self.augment(images), self.hard[labels])
        inputs = self.normalise(images)
        laps.lap("augmentation")
        return inputs, targets

    def logits(self, shown: nn.Module, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """All images once through the network."""
        with nullcontext(shown) if weights is None else self.ranks.holding.seen(shown, weights) as seen:
            return self.ranks.spread(
                lambda split: predict(seen, split, self.normalise, self.precision), self.val
            )
