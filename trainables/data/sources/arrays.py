"""Images that are numbers already: NumPy arrays, from Python or from an ``.npz`` file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spaces import InputError
from trainables.data.invariances import Invariances
from trainables.data.listing import Sample
from trainables.data.sources.source import Source


class Arrays(Source):
    """Images as one array.

    Args:
        images: [N, H, W] or [N, H, W, C]; unsigned bytes, 16-bit numbers, or floats in [0, 1].
        labels: [N], numbers or names.
        splits: [N], ``train``, ``val`` or ``test``, an empty name where the project shall split.
        groups: [N], what must stay on one side of a split.
        classes: Names of the classes where labels are numbers, in their order.
        invariances: Which changes keep labels true.

    Raises:
        InputError: Shapes that do not fit each other.
    """

    def __init__(
        self,
        images: NDArray[Any],
        labels: ArrayLike,
        *,
        splits: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        classes: Sequence[str] | None = None,
        invariances: Invariances | None = None,
    ) -> None:
        self._images = np.asarray(images)
        if self._images.ndim not in (3, 4) or not len(self._images):
            raise InputError(
                f"images must be an array [N, H, W] or [N, H, W, C], but its shape is {list(self._images.shape)}"
            )
        self._columns: dict[str, list[str]] = {}
        for name, column in {"labels": labels, "splits": splits, "groups": groups}.items():
            if column is None:
                continue
            values = np.asarray(column)
            if values.shape != (len(self._images),):
                raise InputError(
                    f"{name} must be one value an image, [{len(self._images)}], but its shape is {list(values.shape)}"
                )
            self._columns[name] = [str(value) for value in values.tolist()]
        self._classes = None if classes is None else tuple(str(name) for name in classes)
        if self._classes is not None:
            self._columns["labels"] = [self._named(label) for label in self._columns["labels"]]
        if invariances is not None:
            self.invariances = invariances

    def _named(self, label: str) -> str:
        assert self._classes is not None
        if label in self._classes:
            return label
        if label.isdecimal() and int(label) < len(self._classes):
            return self._classes[int(label)]
        raise InputError(f"a label must be one of the {len(self._classes)} classes, but got {label!r}")

    def classes(self) -> Sequence[str] | None:
        """As given."""
        return self._classes

    def samples(self) -> Iterator[Sample]:
        """A sample a row; its key is the row's number."""
        nothing = [""] * len(self._images)
        columns = (self._columns.get(name, nothing) for name in ("labels", "splits", "groups"))
        for row, (label, split, group) in enumerate(zip(*columns, strict=True)):
            yield Sample(str(row), label, split or None, group or None)

    def read(self, key: str) -> NDArray[Any]:
        """One image."""
        return np.asarray(self._images[int(key)])


class ArrayFile(Arrays):
    """Arrays from an ``.npz`` file, called as the arguments of `Arrays` are: ``images``, ``labels`` and so on.

    Or, as MedMNIST and others have it, ``train_images`` and ``train_labels``, and likewise for val and test.

    Args:
        path: The file. Pickled arrays in it are refused.

    Raises:
        InputError: It cannot be read, or lacks an array.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path).expanduser()
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
            said = " ".join(str(error).split())
            raise InputError(f"data {os.fspath(path)!r} must be a readable .npz file, but: {said}") from None
        if "images" not in arrays and "train_images" in arrays:
            arrays = _joined(arrays, path)
        for name in ("images", "labels"):
            if name not in arrays:
                raise InputError(f"{path.name} must have an array {name!r}, but it has {', '.join(arrays)}")
        classes = arrays.get("classes")
        super().__init__(
            arrays["images"],
            arrays["labels"],
            splits=arrays.get("splits"),
            groups=arrays.get("groups"),
            classes=None if classes is None else [str(name) for name in classes.tolist()],
        )


def _joined(arrays: dict[str, NDArray[Any]], path: Path) -> dict[str, NDArray[Any]]:
    """From an array a split to one with a column of splits."""
    parts = [name for name in ("train", "val", "test") if f"{name}_images" in arrays]
    for part in parts:
        if f"{part}_labels" not in arrays:
            raise InputError(
                f"{path.name} must have an array '{part}_labels', but it has {', '.join(arrays)}"
            )
    lengths = [len(arrays[f"{part}_images"]) for part in parts]
    return {
        "images": np.concatenate([arrays[f"{part}_images"] for part in parts]),
        "labels": np.concatenate([arrays[f"{part}_labels"].reshape(-1) for part in parts]),
        "splits": np.repeat(parts, lengths),
    }
