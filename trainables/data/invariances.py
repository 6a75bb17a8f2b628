"""What may be done to the images of a data set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Invariances:
    """Which changes of an image keep its label true: a mirrored 3 is no 3, a mirrored cat is a cat.

    Args:
        horizontal_flip: Left and right may be exchanged.
        vertical_flip: Top and bottom may be exchanged.
        rotation: Largest rotation that leaves the label true, degrees either way.
        colour: Brightness, contrast and hue may change.
        crop: Part of the image may be missing at its edges.
    """

    horizontal_flip: bool = True
    vertical_flip: bool = False
    rotation: float = 30.0
    colour: bool = True
    crop: bool = True
