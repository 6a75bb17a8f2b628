"""What the random and learned policies have in common: a crop and flips before, and operations of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated

from pydantic import Field
from torch import Tensor

from trainables.augmentation.geometry import Geometry
from trainables.augmentation.operations import Operation, operations
from trainables.augmentation.policy import Changes, check_strength
from trainables.data.invariances import Invariances
from trainables.parts import Part


class OperationPolicy(Part, ABC):
    """Crops and flips as `Standard` does, then what a policy draws.

    Args:
        crop: Largest share of the area that is cropped away, at strength 1.
    """

    crop: Annotated[float, Field(ge=0, lt=1)] = 0.3

    def at(self, strength: float, invariances: Invariances) -> Changes:
        """The changes of one strength.

        Raises:
            ValueError: `strength` is outside [0, 1].
        """
        check_strength(strength)
        before = Geometry(
            crop=self.crop * strength if invariances.crop else 0.0,
            horizontal_flip=invariances.horizontal_flip,
            vertical_flip=invariances.vertical_flip,
        )

        def change(images: Tensor) -> Tensor:
            if strength == 0:
                return images
            known = operations(invariances, images.shape[1])
            return self.draw(before(images), known, strength).clamp(0, 1)

        return change

    @abstractmethod
    def draw(self, images: Tensor, known: dict[str, Operation], strength: float) -> Tensor:
        """Draw for each image, and apply.

        Args:
            images: [B, C, H, W] in [0, 1].
            known: The operations that keep labels true, by name.
            strength: In (0, 1].
        """
