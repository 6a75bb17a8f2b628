"""How alike two pictures are at the best place: small grey thumbnails, moved and scaled against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.data.parallel import in_parallel
from trainables.data.traits import grey_of

ROUGHLY = 0.75
"""Least correlation of copies before any moving, in blocks of an eighth of the side: what has less is not tried."""

FLAT = 2.0
"""Grey levels of standard deviation below which a picture has no forms: its brightness is all there is of it."""

COLOUR = 14.0
"""Grey levels by which the colours of copies may differ, on average over a sixteenth of the picture each: copies
of photographs reached 9, one shape drawn in two colours starts at 12."""

SIDE, MIDDLE, BLOCKS, PATCHES = 48, 32, 8, 4
"""Pixels of a thumbnail, of its middle that is compared, and of its roughest form; patches of colour a side."""

EDGE = 0.05
"""Share of the side that the middle leaves out at each edge."""

SCALES = (-0.04, -0.02, 0.0, 0.02, 0.04)
"""How much the middle grows inwards at each edge, as a share of the side."""

MOVES = (-0.03, -0.015, 0.0, 0.015, 0.03)
"""How far it is moved, likewise."""


def _average(begin: float, end: float) -> NDArray[np.float32]:
    """The mean over each of `MIDDLE` cells between two places of a line of `SIDE` pixels, [MIDDLE, SIDE]."""
    edges = np.linspace(begin, end, MIDDLE + 1)[:, None] * SIDE
    pixels = np.arange(SIDE)[None]
    overlap = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    weights = np.clip(overlap, 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_TEMPLATE = _average(EDGE, 1 - EDGE)
_PARTS = np.stack(
    [[_average(EDGE + scale + move, 1 - EDGE - scale + move) for move in MOVES] for scale in SCALES]
)
"""[scales, moves, MIDDLE, SIDE]; what would lie beyond an edge is the edge."""


@dataclass(frozen=True)
class Looks:
    """Thumbnails of M pictures.

    Args:
        grey: [M, SIDE, SIDE], uint8.
        colour: Mean of each channel in each of PATCHES² patches, grey levels, [M, C * PATCHES²].
        rough: [M, BLOCKS²], of mean 0 and length 1 (0 where a picture is flat).
    """

    grey: NDArray[np.uint8]
    colour: NDArray[np.float32]
    rough: NDArray[np.float32]

    def roughly_alike(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether pairs may be copies at all, [P]: alike in colour, and in their roughest forms."""
        found = np.zeros(len(a), bool)
        for start in range(0, len(a), 65536):
            one, other = a[start : start + 65536], b[start : start + 65536]
            colour = np.abs(self.colour[one] - self.colour[other]).mean(axis=1) <= COLOUR
            flat = ~self.rough[one].any(axis=1) & ~self.rough[other].any(axis=1)
            forms = (self.rough[one] * self.rough[other]).sum(axis=1) >= ROUGHLY
            found[start : start + 65536] = colour & (forms | flat)
        return found

    def likeness(self, a: int, b: int) -> float:
        """Greatest correlation of the middle of one with parts of the other, in [-1, 1]; 1 of two flat ones."""
        if not self.rough[a].any() and not self.rough[b].any():
            return 1.0  # their colours are alike, or they would not be compared
        middle = _unit(_TEMPLATE @ self.grey[a].astype(np.float32) @ _TEMPLATE.T)
        rows = _PARTS @ self.grey[b].astype(np.float32)  # [scales, moves, MIDDLE, SIDE]
        parts = rows[:, :, None] @ _PARTS[:, None].swapaxes(-1, -2)  # [scales, moves, moves, MIDDLE, MIDDLE]
        return float((_unit(parts) * middle).sum(axis=(-2, -1)).max())


def look(picture: Callable[[int], NDArray[np.uint8]], rows: NDArray[np.int64]) -> Looks:
    """Thumbnails of the pictures of `rows`.

    Args:
        picture: Row → the picture [H, W, C].
        rows: [M].
    """

    def one(place: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        pixels = picture(int(rows[place]))
        small = Image.fromarray(grey_of(pixels)).resize((SIDE, SIDE), Image.Resampling.BOX)
        patches = [
            Image.fromarray(np.ascontiguousarray(pixels[..., channel])).resize(
                (PATCHES, PATCHES), Image.Resampling.BOX
            )
            for channel in range(pixels.shape[-1])
        ]
        return np.asarray(small), np.asarray(patches, np.float32).reshape(-1)

    if not len(rows):
        nothing = np.zeros((0, 1), np.float32)
        return Looks(np.zeros((0, SIDE, SIDE), np.uint8), nothing, nothing)
    found = in_parallel(one, len(rows), None)
    grey = np.stack([small for small, _ in found])
    blocks = grey.reshape(len(rows), BLOCKS, SIDE // BLOCKS, BLOCKS, SIDE // BLOCKS).mean(axis=(2, 4))
    rough = np.asarray(_unit(blocks.astype(np.float32)).reshape(len(rows), -1), np.float32)
    rough[grey.std(axis=(1, 2)) < FLAT] = 0
    return Looks(grey, np.stack([colour for _, colour in found]), rough)


def _unit(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """[…, H, W] of mean 0 and length 1."""
    centred = pictures - pictures.mean(axis=(-2, -1), keepdims=True)
    length = np.sqrt(np.square(centred).sum(axis=(-2, -1), keepdims=True))
    return np.asarray(centred / np.maximum(length, 1e-6), np.float32)
