"""Pictures as small as a page bears many of."""

from __future__ import annotations

import base64
import io
from typing import Any

from numpy.typing import NDArray

SIDE = 96
"""Pixels of the longer side."""

LOSSLESS = 48
"""Side up to which a picture is kept to the pixel: smaller ones would be spoilt by anything else."""


def small(pixels: NDArray[Any]) -> str:
    """A picture as a ``data:`` address.

    Args:
        pixels: [H, W, C], uint8. Of other than three channels the first is shown, in grey.
    """
    from PIL import Image

    shown = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
    shown.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    kind = "png" if max(shown.size) <= LOSSLESS else "jpeg"
    shown.save(out, kind, **({"optimize": True} if kind == "png" else {"quality": 80}))
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"
