"""A data set of Hugging Face's `datasets` library: a folder that it saved, or an id on the hub."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spaces import InputError
from trainables.data.decoding import Raw
from trainables.data.listing import Sample
from trainables.data.sources.names import split_called
from trainables.data.sources.source import Source

MARKS = ("dataset_dict.json", "state.json", "dataset_info.json")
"""Files by which a folder that `datasets` saved is known."""


class Hub(Source):
    """Images of a `datasets.DatasetDict`: its one column of images, its one column of labels.

    Splits called train, validation and test are taken as such, others passed over; a data set of one split
    is split by the project.

    Args:
        name: A folder that `save_to_disk` made, a folder of Parquet files, or an id on the hub
            (``owner/name``), followed by ``:configuration`` where there are several.

    Raises:
        InputError: There is none, it cannot be fetched, or its columns leave doubt.
    """

    def __init__(self, name: str) -> None:
        self._parts = _load(name)
        first = next(iter(self._parts.values()))
        self._image, self._label = _columns(first.features, name)
        self._names: Sequence[str] | None = getattr(first.features[self._label], "names", None)

    def classes(self) -> Sequence[str] | None:
        """As the data set's features name them."""
        return self._names

    def samples(self) -> Iterator[Sample]:
        """A sample a row; its key is ``split/row``."""
        for part, rows in self._parts.items():
            for row, label in enumerate(rows.with_format(None)[self._label]):
                named = self._names[label] if self._names is not None else str(label)
                yield Sample(f"{part}/{row}", named, split_called(part) if len(self._parts) > 1 else None)

    def read(self, key: str) -> Raw:
        """The bytes as they were encoded, or the picture where the data set keeps numbers."""
        part, _, row = key.partition("/")
        image = self._parts[part][int(row)][self._image]
        if isinstance(image, dict):
            data = image.get("bytes")
            return data if data is not None else Path(image["path"]).read_bytes()
        return np.asarray(image)


def _load(name: str) -> dict[str, Any]:
    """Split → rows, images left encoded."""
    import datasets

    place, _, configuration = name.partition(":")
    folder = Path(place).expanduser()
    datasets.disable_progress_bars()
    try:
        if any((folder / mark).is_file() for mark in MARKS):
            loaded = datasets.load_from_disk(os.fspath(folder))
        else:
            loaded = datasets.load_dataset(
                os.fspath(folder) if folder.is_dir() else place, configuration or None
            )
    except Exception as error:  # of a missing network alone, the hub's library raises half a dozen kinds
        said = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise InputError(
            f"data {name!r} must be a data set on the hub, or a folder that `datasets` saved, but: {said}"
        ) from None
    parts = dict(loaded) if isinstance(loaded, dict) else {"train": loaded}
    known = {part: rows for part, rows in parts.items() if split_called(part)} or parts
    return {part: _encoded(rows) for part, rows in known.items()}


def _encoded(rows: Any) -> Any:
    """Images as they lie in the file: to decode them is the store's work."""
    import datasets

    for column, feature in rows.features.items():
        if isinstance(feature, datasets.Image):
            rows = rows.cast_column(column, datasets.Image(decode=False))
    return rows


def _columns(features: Any, name: str) -> tuple[str, str]:
    """The columns of images and labels."""
    import datasets

    arrays = (datasets.Array2D, datasets.Array3D)
    images = [column for column, feature in features.items() if isinstance(feature, datasets.Image)]
    images = images or [column for column, feature in features.items() if isinstance(feature, arrays)]
    labels = [column for column, feature in features.items() if isinstance(feature, datasets.ClassLabel)]
    labels = [column for column in ("label", "labels", "class") if column in features] or labels
    for what, found in ("images", images), ("labels", labels):
        if len(found) != 1:
            raise InputError(
                f"data {name!r} must have one column of {what}, but has "
                f"{', '.join(found) if found else 'none'} among {', '.join(features)}"
            )
    return images[0], labels[0]
