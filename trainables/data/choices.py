"""What a user can choose about images and splits, and what is taken where they do not; nothing heavy is imported."""

from __future__ import annotations

from typing import Literal, TypeAlias

Fit: TypeAlias = Literal["crop", "squash", "pad"]
"""How a rectangle becomes a square: its middle, all of it in another shape, or all of it between black bars."""

Interpolation: TypeAlias = Literal["bilinear", "bicubic", "lanczos", "box", "nearest"]
"""Between pixels, as Pillow calls it."""

CROP_PCT = 0.875
"""Share of a picture's side that a network sees, where its model does not say: that of ImageNet's
customary evaluation, 224 of 256 pixels (Krizhevsky et al., NeurIPS 2012)."""

SHARE = 0.15
"""Of the images for validation, and for the test, where the source has no split of its own."""
