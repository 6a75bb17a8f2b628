"""Crops, turns, flips, colours, blur, noise, erasing: what most recipes use, under one strength."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from trainables.augmentation.blemishes import Blur, Erasing, Noise
from trainables.augmentation.colour import Colour
from trainables.augmentation.geometry import Geometry
from trainables.augmentation.policy import Chance, Changes, check_strength
from trainables.data.invariances import Invariances
from trainables.parts import Part

Share = Annotated[float, Field(ge=0, lt=1)]


class Standard(Part):
    """The classical changes, each at its full extent at strength 1 and in proportion below.

    Extents and chances shrink with the strength; flips, where they keep labels true, are on at any
    strength above 0.

    Args:
        crop: Largest share of the area that is cropped away (the rest is scaled up); 0.3 leaves 70–100 %.
        shift: Of the side, either way.
        zoom: In or out.
        shear: Degrees either way. How far images turn is the data set's word.
        colour: Of brightness, contrast and saturation, either way; an eighth of it is the turn of the hue.
        blur: Chance that an image is blurred.
        noise: Chance that an image is noisy.
        erasing: Chance that a rectangle of an image is erased.
        vertical_flip: Also upside down, where the data set does not forbid flips.

    Source: extents after Szegedy et al., CVPR 2015 (crop), Cubuk et al., 2020 (arXiv:1909.13719: one
    magnitude for all), and timm's defaults (colour 0.4, erasing 0.25).
    """

    crop: Share = 0.3
    shift: Share = 0.1
    zoom: Share = 0.2
    shear: Annotated[float, Field(ge=0, lt=60)] = 10.0
    colour: Share = 0.4
    blur: Chance = 0.1
    noise: Chance = 0.1
    erasing: Chance = 0.25
    vertical_flip: bool = False

    def at(self, strength: float, invariances: Invariances) -> Changes:
        """The changes of one strength.

        Raises:
            ValueError: `strength` is outside [0, 1].
        """
        check_strength(strength)
        if strength == 0:
            return _unchanged
        mirrored = self.vertical_flip and invariances.horizontal_flip
        steps: list[Changes] = [
            Geometry(
                rotation=invariances.rotation * strength,
                shift=self.shift * strength,
                zoom=self.zoom * strength,
                shear=self.shear * strength,
                crop=self.crop * strength if invariances.crop else 0.0,
                horizontal_flip=invariances.horizontal_flip,
                vertical_flip=invariances.vertical_flip or mirrored,
            )
        ]
        if invariances.colour and self.colour:
            extent = self.colour * strength
            steps.append(Colour(extent, extent, extent, extent / 8))
        if self.blur:
            steps.append(Blur(self.blur * strength, 0.1 + 1.9 * strength))
        if self.noise:
            steps.append(Noise(self.noise * strength, 0.1 * strength))
        if self.erasing:
            steps.append(Erasing(self.erasing * strength))
        return _Chain(steps)


class _Chain:
    """One change after the other; the first makes a new tensor, the others may write to it."""

    def __init__(self, steps: list[Changes]) -> None:
        self._steps = steps

    def __call__(self, images: Tensor) -> Tensor:
        for step in self._steps:
            images = step(images)
        return images


def _unchanged(images: Tensor) -> Tensor:
    return images
