"""Characters rendered from fonts and warped at random: a data set to pretrain on, made in seconds.

Each character of each font becomes a signed distance field once. A sample is that field looked up through
a random warp: adding to a distance makes strokes thicker or thinner, a soft threshold makes them blurred, so
one lookup does what rendering, dilating and blurring would do.

Source: for distance fields Green, "Improved Alpha-Tested Magnification for Vector Textures and Special
Effects" (SIGGRAPH 2007); for elastic warps Simard et al., "Best Practices for Convolutional Neural Networks
Applied to Visual Document Analysis" (ICDAR 2003).
"""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the field's own name for it)

from spaces import InputError
from trainables.data.dataset import Dataset, Images
from trainables.data.invariances import Invariances
from trainables.seeds import derive_seed

CLASSES = tuple(string.digits + string.ascii_uppercase + string.ascii_lowercase)
"""What a label of `render_glyphs` stands for."""

FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-BoldOblique", "DejaVuSans-Oblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-BoldOblique", "DejaVuSansMono-Oblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic", "DejaVuSerif-Italic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta", "STIXGeneralItalic"),
    *("cmb10", "cmmi10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)
"""Those of matplotlib's fonts in which all classes are readable; its others hold symbols, or nothing here."""

FIELD, CAPITAL, WIDEST = (
    64,
    44,
    54,
)  # pixels of a distance field: its side, a capital's height, the widest glyph
FRAME = (
    0.75  # part of a field's side that an image shows: a capital fills 44 / (0.75 * 64) = 92 % of the height
)


def glyph_fonts() -> list[Path]:
    """The font files that characters are rendered from, in a fixed order.

    Raises:
        InputError: The installed matplotlib lacks one of them.
    """
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    paths = [folder / f"{name}.ttf" for name in FONTS]
    for path in paths:
        if not path.is_file():
            raise InputError(
                f"matplotlib must ship the fonts that glyphs are rendered from, but {path} is missing"
            )
    return paths


def render_glyphs(
    per_font: int, size: int = 32, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Digits and letters in 22 fonts, white on black, each warped, blurred and noisy in its own way.

    Images come in rounds of one a font and class, font by font: a longer rendering starts with a shorter one.

    Args:
        per_font: Images of each class in each font, at least 1.
        size: Height and width, pixels, at least 8.
        seed: Same seed, same bytes.
        progress: Called with images done and in all, after each round.

    Returns:
        Pixels [N, size, size, 1], labels [N] and the names of the classes, where N = per_font * 22 * 62.

    Raises:
        InputError: `per_font` or `size` is too small, or a font is missing.
    """
    if per_font < 1:
        raise InputError(f"`per_font >= 1` must hold, but got per_font={per_font}")
    if size < 8:
        raise InputError(f"`size >= 8` must hold, but got size={size}")
    fields = torch.from_numpy(_distance_fields())
    rng = np.random.default_rng(seed)
    rounds = []
    for done in range(1, per_font + 1):
        rounds.append(_warp(fields, size, rng))
        if progress is not None:
            progress(done * len(fields), per_font * len(fields))
    labels = np.tile(np.arange(len(CLASSES), dtype=np.int64), per_font * len(FONTS))
    return np.concatenate(rounds)[..., None], labels, CLASSES


def glyphs(seed: int = 0) -> Dataset:
    """Rendered characters as a data set: half to learn from, a quarter to select by, a quarter to test on.

    Args:
        seed: Seed of the rendering.
    """
    # Other warps than those that the backbone was pretrained on, whatever the seed.
    pixels, labels, classes = render_glyphs(4, seed=derive_seed(seed, "glyphs", "data set"))
    parts = np.split(np.arange(len(labels)), [len(labels) // 2, len(labels) * 3 // 4])
    train, val, test = (Images(pixels[rows], labels[rows]) for rows in parts)
    upright = Invariances(horizontal_flip=False, vertical_flip=False, rotation=15.0, crop=False)
    return Dataset("glyphs", classes, train, val, test, upright)


@cache
def _distance_fields() -> NDArray[np.float32]:
    """[fonts * classes, 1, 64, 64]: pixels to the nearest edge, positive inside of a stroke."""
    fields = []
    for path in glyph_fonts():
        trial = ImageFont.truetype(str(path), 200)
        _, top, _, bottom = trial.getbbox("H")
        font = ImageFont.truetype(str(path), 200 * CAPITAL / (bottom - top))
        for character in CLASSES:
            ink = _draw(character, font) > 127
            fields.append(distance_transform_edt(ink) - distance_transform_edt(~ink))
    return np.stack(fields)[:, None].astype(np.float32)


def _draw(character: str, font: ImageFont.FreeTypeFont) -> NDArray[np.uint8]:
    """One character in the middle of a field; what is too wide is squeezed, so that no stroke is cut off."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(character))
    glyph = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(glyph).text((-left, -top), character, font=font, fill=255)
    if glyph.width > WIDEST:
        glyph = glyph.resize((WIDEST, glyph.height), Image.Resampling.BILINEAR)
    field = Image.new("L", (FIELD, FIELD))
    field.paste(glyph, ((FIELD - glyph.width) // 2, (FIELD - glyph.height) // 2))
    return np.asarray(field)


def _warp(fields: Tensor, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Each field once, through a warp of its own: [N, 1, 64, 64] -> [N, size, size]."""
    n = len(fields)

    def uniform(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (n, 1, 1)).astype(np.float32))

    angle, shear = torch.deg2rad(uniform(-18, 18)), uniform(-0.35, 0.35)
    wide, high = uniform(0.9, 1.5), uniform(0.9, 1.2)  # of the lookup: above 1 shows the character smaller
    axis = torch.linspace(-1 + 1 / size, 1 - 1 / size, size)
    y, x = axis.view(1, size, 1), axis.view(1, 1, size)
    x, y = angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y
    x, y = wide * (x + shear * y) + uniform(-0.15, 0.15), high * y + uniform(-0.1, 0.1)
    wobble = (
        torch.from_numpy(rng.standard_normal((n, 2, 4, 4), dtype=np.float32)) * uniform(0, 0.13)[..., None]
    )
    wobble = F.interpolate(wobble, (size, size), mode="bicubic", align_corners=False)
    grid = FRAME * torch.stack([x + wobble[:, 0], y + wobble[:, 1]], dim=-1)
    distance = F.grid_sample(fields, grid, padding_mode="border", align_corners=False)[:, 0]

    thicker, blur = uniform(-1.0, 4.0), uniform(0.7, 2.5)  # pixels of a field, whatever the image's size
    image = torch.sigmoid((distance + thicker) * (2 / blur))
    image = _coarsen(image, rng)
    image = image / image.amax((1, 2), keepdim=True)  # thin strokes fade when they are blurred: not that much
    noise = torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
    image = uniform(0.6, 1.0) * image + uniform(0, 0.06) * noise
    pixels: NDArray[np.uint8] = image.clamp(0, 1).mul(255).round().to(torch.uint8).numpy()
    return pixels


def _coarsen(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Half of the images as if enlarged from a quarter of the side, a quarter of them from half of it."""
    size = image.shape[-1]
    draw = torch.from_numpy(rng.uniform(size=len(image)))
    for chosen, side in (draw < 0.5, size // 4), ((draw >= 0.5) & (draw < 0.75), size // 2):
        small = F.adaptive_avg_pool2d(image[chosen][:, None], side)
        image[chosen] = F.interpolate(small, (size, size), mode="bilinear", align_corners=False)[:, 0]
    return image
