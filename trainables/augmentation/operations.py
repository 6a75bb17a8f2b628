"""The operations that learned and random policies draw from, each with a magnitude of its own for each image.

Kornia's auto-augmentation draws one operation for a whole batch. Here a policy says for each image which
operation it gets, and each operation is applied once, to the images that drew it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from kornia import enhance
from torch import Tensor

from trainables.augmentation.colour import recolour
from trainables.augmentation.geometry import warp
from trainables.data.invariances import Invariances

Apply = Callable[[Tensor, Tensor], Tensor]
"""(images [n, C, H, W] in [0, 1], magnitudes [n]) → images."""

ROTATION, SHEAR, SHIFT, FACTOR = 30.0, 0.3, 0.45, 0.9
"""At magnitude 1: degrees, tangent, share of the side, change of a factor (Cubuk et al., 2019, table 6)."""


@dataclass(frozen=True)
class Operation:
    """One operation.

    Args:
        apply: What it does; magnitudes are in [−1, 1] where it is signed, else in [0, 1].
        signed: Whether it goes either way.
        colour: Whether it changes colours or brightness, and not places.
        channels: Of how many channels the images must be; 0 for any.
        whole: Whether it is done wholly or not at all: its magnitude is then how likely it is done.
    """

    apply: Apply
    signed: bool = False
    colour: bool = True
    channels: int = 0
    whole: bool = False


def _matrix(count: int, **entries: Tensor) -> Tensor:
    """[count, 2, 3]: the identity but for the named entries."""
    matrix = torch.eye(2, 3).repeat(count, 1, 1)
    places = {"xx": (0, 0), "xy": (0, 1), "x": (0, 2), "yx": (1, 0), "yy": (1, 1), "y": (1, 2)}
    for name, value in entries.items():
        matrix[:, places[name][0], places[name][1]] = value
    return matrix


def _rotate(limit: float) -> Apply:
    def apply(images: Tensor, magnitudes: Tensor) -> Tensor:
        angle = torch.deg2rad(limit * magnitudes)
        cos, sin = angle.cos(), angle.sin()
        return warp(images, _matrix(len(images), xx=cos, xy=sin, yx=-sin, yy=cos))

    return apply


def _move(entry: str, extent: float) -> Apply:
    def apply(images: Tensor, magnitudes: Tensor) -> Tensor:
        return warp(images, _matrix(len(images), **{entry: extent * magnitudes}))

    return apply


def _factor(name: str) -> Apply:
    def apply(images: Tensor, magnitudes: Tensor) -> Tensor:
        return recolour(images, **{name: 1 + FACTOR * magnitudes})

    return apply


def _auto_contrast(images: Tensor, magnitudes: Tensor) -> Tensor:
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    spread = (images - low) / (high - low).clamp(min=1e-6)
    return torch.where(high > low, spread, images)


def _posterize(images: Tensor, magnitudes: Tensor) -> Tensor:
    levels = 2.0 ** (8 - (4 * magnitudes).round())
    step = (256 / levels).to(images).view(-1, 1, 1, 1)
    coarse: Tensor = (images * 255 / step).floor() * step / 255
    return coarse


def _solarize(images: Tensor, magnitudes: Tensor) -> Tensor:
    threshold = (1 - magnitudes).to(images).view(-1, 1, 1, 1)
    return torch.where(images >= threshold, 1 - images, images)


def _sharpness(images: Tensor, magnitudes: Tensor) -> Tensor:
    sharper: Tensor = enhance.sharpness(images, (1 + FACTOR * magnitudes).to(images))
    return sharper.clamp(0, 1)


def _equalize(images: Tensor, magnitudes: Tensor) -> Tensor:
    even: Tensor = enhance.equalize(images.contiguous())
    return even


def operations(invariances: Invariances, channels: int) -> dict[str, Operation]:
    """What may be done to a data set's images, by the names that policies use.

    Args:
        invariances: What keeps labels true.
        channels: Of the images.
    """
    turn = min(ROTATION, invariances.rotation)
    known = {
        "rotate": Operation(_rotate(turn), signed=True, colour=False),
        "shear_x": Operation(_move("xy", SHEAR), signed=True, colour=False),
        "shear_y": Operation(_move("yx", SHEAR), signed=True, colour=False),
        "translate_x": Operation(_move("x", 2 * SHIFT), signed=True, colour=False),
        "translate_y": Operation(_move("y", 2 * SHIFT), signed=True, colour=False),
        "sharpness": Operation(_sharpness, signed=True, colour=False),
        "brightness": Operation(_factor("brightness"), signed=True),
        "contrast": Operation(_factor("contrast"), signed=True),
        "color": Operation(_factor("saturation"), signed=True, channels=3),
        "auto_contrast": Operation(_auto_contrast, whole=True),
        "equalize": Operation(_equalize, whole=True),
        "posterize": Operation(_posterize),
        "solarize": Operation(_solarize),
        "invert": Operation(lambda images, magnitudes: 1 - images, whole=True),
    }
    return {
        name: operation
        for name, operation in known.items()
        if (invariances.colour or not operation.colour)
        and operation.channels in (0, channels)
        and not (name == "rotate" and turn == 0)
    }


def apply_each(
    images: Tensor, known: Sequence[Operation], chosen: Tensor, magnitudes: Tensor, drawn: Tensor
) -> Tensor:
    """Apply to each image the operation that it drew.

    Args:
        images: [B, C, H, W] in [0, 1]; not written to.
        known: The operations.
        chosen: [B], an index into `known` for each image; on the processor, like the next two.
        magnitudes: [B], in [0, 1]; signed operations go either way by the toss of a coin.
        drawn: [B], whether the image is changed at all.
    """
    out = images.clone()
    signs = torch.where(torch.rand(len(images)) < 0.5, -1.0, 1.0)
    likely = torch.rand(len(images)) < magnitudes
    for index in chosen[drawn].unique().tolist():
        operation = known[index]
        rows = (drawn & (chosen == index) & (likely | (not operation.whole))).nonzero().flatten()
        if not len(rows):
            continue
        place = rows.to(images.device)
        size = magnitudes[rows] * (signs[rows] if operation.signed else 1.0)
        out[place] = operation.apply(out[place], size)
    return out
