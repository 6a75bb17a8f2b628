"""What is wrong with a data set, before a GPU-hour is spent on it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spaces import InputError
from spaces.laws import broken_law
from trainables.config import Fixed
from trainables.data.naming import absolute, find_dataset

if TYPE_CHECKING:
    from PIL import Image

    from trainables.data.parallel import Progress
    from trainables.data.sources.source import Source
    from trainables.data.store import Store
    from trainables.quality.report import Report

SIDE = 128
"""Of the pictures that are looked at where no model says its own, pixels: enough to tell copies from others."""

THUMBNAIL = 96


@dataclass(frozen=True)
class Checked:
    """A report, and the pictures that it speaks of.

    Args:
        report: All findings.
        source: Gives the images as they are.
        store: The decoded pictures.
    """

    report: Report
    source: Source
    store: Store

    def thumbnail(self, row: int) -> Image.Image | None:
        """One image of the listing, small and in its own shape; none if it cannot be read."""
        from PIL import Image, ImageOps

        if not self.store.facts.readable[row]:
            return None
        raw = self.source.read(self.store.listing.keys[row])
        mode = str(self.store.facts.mode[row])
        try:
            picture = Image.open(io.BytesIO(raw)) if isinstance(raw, bytes) else raw
            if isinstance(picture, Image.Image) and mode in ("RGB", "L"):
                shown = ImageOps.exif_transpose(picture)
                shown.thumbnail((THUMBNAIL, THUMBNAIL))
                return shown.convert("RGB")
        except OSError:
            pass  # a kind that only the decoder knows
        stored = self.store.picture(row)
        small = Image.fromarray(stored[..., :3] if stored.shape[-1] >= 3 else stored[..., 0])
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        return small.convert("RGB")


def check_data(
    data: str,
    settings: dict[str, Any] | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Checked:
    """Read all of a data set and say what is wrong with it.

    Args:
        data: As `run` takes it after ``--data``.
        settings: Fields of `trainables.Fixed`. Where they name a model, its features find outliers and
            likely label errors too.
        progress: Told (images done, of how many) while pictures are decoded, and again for features.
        tell: Told in a few words what is being done.

    Raises:
        InputError: There is no such data set, it holds no images, or a setting is wrong.
    """
    from trainables.data.sources.find import find_source
    from trainables.data.store import open_store
    from trainables.quality.examine import examine
    from trainables.quality.subject import Subject

    find_dataset(data)
    fixed = _fixed(settings or {})
    source = find_source(data) or _wrapped(data)
    with_model = bool(settings) and "model" in (settings or {})
    store = open_store(absolute(data), source, _preprocessing(fixed, with_model), progress, tell)
    features = None
    if with_model and store.facts.readable.any():
        from trainables.quality.features import features_of

        tell("looking at the images through the model")
        features = features_of(store, fixed, progress)
    tell("looking for what is wrong")
    report = examine(Subject(data, store.listing, store.facts, store.picture, features))
    return Checked(report, source, store)


def _fixed(settings: dict[str, Any]) -> Fixed:
    from pydantic import ValidationError

    unknown = [name for name in settings if name not in Fixed.model_fields]
    if unknown:
        raise InputError(f"{unknown[0]!r} is no setting of data or model")
    try:
        return Fixed.model_validate(settings)
    except ValidationError as error:
        raise InputError(broken_law(error, Fixed.model_fields)[1]) from None


def _wrapped(data: str) -> Source:
    """A data set that a function makes whole."""
    from trainables.data import load_dataset
    from trainables.data.sources.wrapped import Wrapped

    return Wrapped(load_dataset(data))


def _preprocessing(fixed: Fixed, with_model: bool) -> Any:
    """As the model wants its pictures; without one the whole picture, in another shape if it must be."""
    from trainables.data.preprocessing import Preprocessing

    if with_model:
        from trainables.material import reading_of

        return reading_of(fixed).preprocessing
    size = fixed.image_size or SIDE
    return Preprocessing(size, 1.0, fixed.channels or 3, "squash", window=fixed.window)
