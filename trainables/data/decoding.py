"""One image, whatever its kind, as the pixels of the store, and what was learnt of it on the way.

Every kind has a defined outcome:

==================  ===================================================================================
grey                the same value in each channel
colour              as it is; as luma where the store has one channel
alpha, palette      laid on white; kept where the store has four channels
CMYK, YCbCr, LAB    converted to RGB by Pillow
16 bits and floats  from the number format's least to its greatest value (floats: 0 to 1), or the window
EXIF rotation       applied
animation           its first frame
truncated, no image a fault with its reason, and no pixels
arrays of numbers   [H, W] or [H, W, C], from a source or an ``.npy`` file, with as many channels as stored
==================  ===================================================================================

Big JPEGs are decoded at a half, a quarter or an eighth of their size where that is still at least twice
what is stored: libjpeg averages blocks while it decodes, which saves most of the time.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from trainables.data.facts import TRUNCATED, UNREADABLE
from trainables.data.preprocessing import Preprocessing
from trainables.data.traits import traits

Raw: TypeAlias = "bytes | Image.Image | NDArray[Any]"
"""What a source gives of an image: a file's bytes, or the picture itself."""

Row: TypeAlias = dict[str, Any]
"""An image's row of `Facts`, by the names of its columns."""

_NPY = b"\x93NUMPY"
_ORIENTATION = 274  # EXIF's number of it; 1 is upright
_ENDED_EARLY = ("truncat", "not processed", "premature", "unexpected end", "eof", "too short")


class _Fault(Exception):
    """Why an image gives no pixels."""

    def __init__(self, fault: str, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault


def digest_of(raw: Raw) -> str:
    """BLAKE2b of an image as its source gives it, 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(raw, bytes):
        digest.update(raw)
    else:
        array = np.ascontiguousarray(raw)
        mode = raw.mode if isinstance(raw, Image.Image) else ""
        digest.update(f"{mode} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def decode(raw: Raw, preprocessing: Preprocessing) -> tuple[NDArray[np.uint8] | None, Row]:
    """Pixels [side, side, channels] and facts of one image; of one that cannot be read, none and a fault.

    Args:
        raw: As the source gives it. Nothing in it is ever run: pickled arrays are refused.
        preprocessing: What becomes of it.
    """
    row: Row = {"digest": digest_of(raw)}
    try:
        if isinstance(raw, bytes) and not raw:
            raise _Fault(UNREADABLE, "the file is empty")
        if isinstance(raw, bytes) and raw.startswith(_NPY):
            raw = _load_array(raw)
            row["format"] = "NPY"
        if isinstance(raw, np.ndarray):
            pixels = _from_array(raw, preprocessing, row)
        else:
            pixels = _from_picture(raw, preprocessing, row)
    except _Fault as fault:
        return None, row | {"fault": fault.fault, "reason": " ".join(str(fault).split())[:200]}
    return pixels, row | traits(pixels)


def _load_array(data: bytes) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        ended = any(word in str(error).lower() for word in ("eof", "reshape", "cannot be read", "expected"))
        raise _Fault(TRUNCATED if ended else UNREADABLE, str(error)) from None
    return array


# -- pictures -------------------------------------------------------------------------------------------


def _from_picture(raw: bytes | Image.Image, wanted: Preprocessing, row: Row) -> NDArray[np.uint8]:
    image = _open(raw) if isinstance(raw, bytes) else raw
    turned = _orientation(image) not in (0, 1)
    width, height = image.size[::-1] if _orientation(image) >= 5 else image.size
    row |= {
        "format": image.format or "",
        "mode": image.mode,
        "width": width,
        "height": height,
        "frames": 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1)),
        "rotated": turned,
    }  # fmt: skip  (a telephone's MPO is a photograph with its own preview)
    if image.format == "JPEG" and min(image.size) >= 4 * wanted.side:
        image.draft(image.mode, (2 * wanted.side, 2 * wanted.side))
    image = _load(image)
    if turned:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        return _from_array(np.asarray(image), wanted, row)
    image = _plain(image)
    if image.mode == "RGBA" and wanted.channels != 4:
        image = _on_white(image)
    extrema = image.getextrema()
    row["peak"] = max(high for _, high in (extrema if isinstance(extrema[0], tuple) else (extrema,))) / 255
    if wanted.window is not None:
        return _from_array(np.asarray(image), wanted, row)
    return _as_array(_fitted(image, wanted), wanted)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise _Fault(UNREADABLE, "no image format that is known") from None
    except Exception as error:  # of a damaged header, Pillow's formats raise a dozen kinds
        raise _Fault(_kind_of(error), str(error) or type(error).__name__) from None


def _load(image: Image.Image) -> Image.Image:
    try:
        image.seek(0)
        image.load()
    except Exception as error:  # likewise of damaged contents
        raise _Fault(_kind_of(error), str(error) or type(error).__name__) from None
    return image


def _kind_of(error: Exception) -> str:
    said = f"{type(error).__name__} {error}".lower()
    return TRUNCATED if any(word in said for word in _ENDED_EARLY) else UNREADABLE


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # EXIF that cannot be read says nothing
        return 1
    return value if isinstance(value, int) and 0 <= value <= 8 else 1


def _plain(image: Image.Image) -> Image.Image:
    """In one of the modes L, RGB and RGBA."""
    if image.mode in ("L", "RGB", "RGBA"):
        see_through = image.mode != "RGBA" and "transparency" in image.info
        return image.convert("RGBA") if see_through else image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB")


def _fitted(image: Image.Image, wanted: Preprocessing) -> Image.Image:
    """The whole picture or its middle as a square of the store's side."""
    side, how = wanted.side, wanted.resampling
    if image.size == (side, side):
        return image
    if wanted.fit == "squash":
        return image.resize((side, side), how, reducing_gap=3.0)
    if wanted.fit == "pad":
        scale = side / max(image.size)
        within = tuple(max(1, round(length * scale)) for length in image.size)
        shown = image.resize((within[0], within[1]), how, reducing_gap=3.0)
        square = Image.new(image.mode, (side, side))
        square.paste(shown, ((side - within[0]) // 2, (side - within[1]) // 2))
        return square
    return image.resize((side, side), how, box=_middle(*image.size), reducing_gap=3.0)


def _middle(width: int, height: int) -> tuple[float, float, float, float]:
    """The largest square in the middle: left, top, right, bottom."""
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    return left, top, left + short, top + short


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def _as_array(image: Image.Image, wanted: Preprocessing) -> NDArray[np.uint8]:
    """In the store's channels."""
    if wanted.channels == 1:
        return np.asarray(image.convert("L"))[..., None]
    if wanted.channels in (3, 4):
        return np.asarray(image.convert("RGB" if wanted.channels == 3 else "RGBA"))
    raise _Fault(
        UNREADABLE, f"it has {len(image.getbands())} channels, but `channels` asks for {wanted.channels}"
    )


# -- numbers --------------------------------------------------------------------------------------------


def _from_array(array: NDArray[Any], wanted: Preprocessing, row: Row) -> NDArray[np.uint8]:
    """From an array of numbers [H, W] or [H, W, C]: black to white, then fitted a channel at a time."""
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind not in "buif":
        raise _Fault(
            UNREADABLE,
            f"an array must be [H, W] or [H, W, C] of numbers, but is {list(array.shape)} of {array.dtype}",
        )
    values = array[..., None] if array.ndim == 2 else array
    row.setdefault("mode", f"{array.dtype.name}×{values.shape[2]}")
    row |= {"height": values.shape[0], "width": values.shape[1], "frames": 1}
    if values.dtype == np.uint8 and wanted.window is None and values.shape[2] in (1, 3):
        row["peak"] = float(values.max()) / 255
        picture = _fitted(Image.fromarray(values[..., 0] if values.shape[2] == 1 else values), wanted)
        return _as_array(picture, wanted)
    scaled = _scaled(values, wanted, row)
    if scaled.shape[2] == 1 and wanted.channels != 1:
        scaled = np.repeat(scaled, wanted.channels, axis=2)
    if scaled.shape[2] == 3 and wanted.channels == 1:
        scaled = scaled @ np.asarray([[0.299], [0.587], [0.114]], np.float32)
    if scaled.shape[2] != wanted.channels:
        raise _Fault(
            UNREADABLE, f"it has {scaled.shape[2]} channels, but `channels` asks for {wanted.channels}"
        )
    planes = [np.asarray(_fitted(Image.fromarray(plane), wanted)) for plane in np.moveaxis(scaled, 2, 0)]
    return np.stack(planes, axis=2).round().clip(0, 255).astype(np.uint8)


def _scaled(values: NDArray[Any], wanted: Preprocessing, row: Row) -> NDArray[np.float32]:
    """Black as 0 and white as 255, float32."""
    low, high = 0.0, _white(values)
    if not np.isfinite(values).all():
        raise _Fault(UNREADABLE, "some of its values are not finite")
    top = float(values.max())
    row["peak"] = min(max(top / high, 0.0), 1.0)
    if wanted.window is not None:
        low, high = wanted.window
    elif top > high or float(values.min()) < low:
        raise _Fault(
            UNREADABLE,
            f"its values go from {float(values.min()):g} to {top:g}; give the `window` of them that is meant",
        )
    scaled = (values.astype(np.float64) - low) * (255.0 / (high - low))
    return np.ascontiguousarray(scaled.clip(0, 255), np.float32)


def _white(values: NDArray[Any]) -> float:
    """The greatest value of a number format. Files of 32-bit whole numbers hold 16 in practice."""
    if values.dtype.kind in "fb":
        return 1.0
    return 65535.0 if values.dtype.itemsize > 2 else float(np.iinfo(values.dtype).max)
