"""How a picture of any size and kind becomes one of the size that a network sees."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import PIL
from PIL import Image

from spaces import InputError
from trainables.data.choices import CROP_PCT, Fit, Interpolation

VERSION = 1
"""Of the decoder: raised when it gives other pixels for the same file."""


@dataclass(frozen=True)
class Preprocessing:
    """What is done to each picture once, before any trial.

    Args:
        size: Side of the square that the network sees, pixels.
        crop_pct: That square's share of the stored picture's side, in (0, 1]. The rest is a margin, from
            which training cuts at random and evaluation in the middle.
        channels: Of the stored picture.
        fit: How a rectangle becomes a square: its middle (``crop``), all of it in another shape
            (``squash``), or all of it between black bars (``pad``).
        interpolation: Between pixels, antialiased.
        window: The values that become black and white, in the file's own numbers; none for all that the
            file's number format can hold. For 16-bit pictures that use a part of their range.

    Raises:
        InputError: A share or a window that is none.
    """

    size: int
    crop_pct: float = CROP_PCT
    channels: int = 3
    fit: Fit = "crop"
    interpolation: Interpolation = "bicubic"
    window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.crop_pct <= 1:
            raise InputError(f"crop_pct must lie in (0, 1], but got {self.crop_pct:g}")
        if self.window is not None and not self.window[0] < self.window[1]:
            raise InputError(f"a window must go from a lower to a higher value, but got {list(self.window)}")

    @property
    def side(self) -> int:
        """Of the stored picture, pixels: the margin is the same on opposite edges."""
        margin = round(self.size * (1 / self.crop_pct - 1) / 2)
        return self.size + 2 * margin

    @property
    def resampling(self) -> Image.Resampling:
        """Pillow's name of the interpolation."""
        return Image.Resampling[self.interpolation.upper()]

    def key(self) -> str:
        """The same for what gives the same pixels: of the settings, the decoder and Pillow."""
        stored = {**asdict(self), "side": self.side, "version": VERSION, "pillow": PIL.__version__}
        for name in ("size", "crop_pct"):  # of these only the side is in the pixels
            stored.pop(name)
        return hashlib.blake2b(json.dumps(stored, sort_keys=True).encode(), digest_size=8).hexdigest()
