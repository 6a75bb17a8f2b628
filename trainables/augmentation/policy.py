"""What augmentation is made of: a policy, a curriculum, and the mixing of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Protocol, TypeAlias

from pydantic import Field
from torch import Tensor

from trainables.data.invariances import Invariances

Changes: TypeAlias = Callable[[Tensor], Tensor]
"""Images [B, C, H, W] in [0, 1] → the same shape and range, each with a draw of its own; the input stays."""

Chance = Annotated[float, Field(ge=0, le=1)]
"""A probability."""


class Augmentation(Protocol):
    """How images are changed at random."""

    def at(self, strength: float, invariances: Invariances) -> Changes:
        """The changes of one strength.

        Draws come from torch's global generator of the processor, whatever device the images are on, so
        that nothing has to be read back from a GPU.

        Args:
            strength: In [0, 1]; 0 changes nothing, 1 is as strong as the labels bear.
            invariances: What keeps the labels true. It has the last word.
        """
        ...


class Curriculum(Protocol):
    """How strong the changes are in the course of training."""

    def strength(self, peak: float, progress: float) -> float:
        """The strength, in [0, peak], at `progress` in [0, 1] of the budget."""
        ...


class Mixing(Protocol):
    """Whether images are mixed with each other."""

    def __call__(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mix each image with another one of the batch, and its target by the same weights.

        Args:
            images: [B, C, H, W].
            targets: [B, classes], rows that sum to 1.
        """
        ...


def check_strength(strength: float) -> None:
    """Whether `strength` is one.

    Raises:
        ValueError: It is outside [0, 1].
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"`0 <= strength <= 1` must hold, but got {strength=}")
