"""What input a model's weights were trained on, where timm says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import timm

from trainables.data.choices import CROP_PCT, Interpolation
from trainables.models import glyphs
from trainables.models.backbone import Backbone

USUAL = 224
"""Side of the input, pixels, where nobody says: ImageNet's customary size."""


@dataclass(frozen=True)
class Suggested:
    """The input that a model does best on.

    Args:
        size: Side, pixels.
        crop_pct: Share of the picture's side that was shown in its evaluation, in (0, 1].
        interpolation: With which pictures were resized.
    """

    size: int
    crop_pct: float
    interpolation: Interpolation


def suggested_input(backbone: Backbone) -> Suggested:
    """Of a backbone; ImageNet's custom where nothing is known of it."""
    if backbone.name == glyphs.NAME:
        return Suggested(glyphs.SIZE, CROP_PCT, "bicubic")
    cfg = None if ":" in backbone.architecture else timm.get_pretrained_cfg(backbone.architecture)
    if cfg is None:
        return Suggested(backbone.size or USUAL, CROP_PCT, "bicubic")
    known: dict[str, Interpolation] = {name: name for name in get_args(Interpolation)}
    return Suggested(
        size=backbone.size or cfg.input_size[-1],
        crop_pct=cfg.crop_pct or CROP_PCT,
        interpolation=known.get(cfg.interpolation, "bicubic"),
    )
