"""torchvision's data sets, by name."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from spaces import InputError
from trainables.data.cache import cache_folder
from trainables.data.decoding import Raw
from trainables.data.listing import Sample
from trainables.data.sources.source import Source

_VALUES = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}
"""Split → what torchvision's data sets call it."""

_TARGETS = ("targets", "_labels", "labels", "y", "_targets")
"""Where they keep their labels; those that keep them nowhere are read through once."""


class Vision(Source):
    """A data set of `torchvision.datasets`, fetched where there is network.

    Args:
        name: Its class's name in any case of letters (``cifar10``), and after a colon the folder that it is
            kept in; the project's cache if there is none.

    Raises:
        InputError: There is no such data set, or it cannot be fetched.
    """

    def __init__(self, name: str) -> None:
        called, _, place = name.partition(":")
        self._kind = _find(called)
        self._root = Path(place).expanduser() if place else cache_folder() / "torchvision"
        self._parts = {split: part for split, part in self._load().items() if part is not None}
        self._classes = next((_class_names(part) for part in self._parts.values()), None)
        self._labels = {split: _labels(part) for split, part in self._parts.items()}

    def classes(self) -> Sequence[str] | None:
        """As the data set names them."""
        return self._classes

    def samples(self) -> Iterator[Sample]:
        """A sample a row; its key is ``split/row``."""
        alone = len(self._parts) == 1
        for split, labels in self._labels.items():
            for row, label in enumerate(labels):
                named = self._classes[label] if self._classes is not None else str(label)
                yield Sample(f"{split}/{row}", named, None if alone else split)

    def read(self, key: str) -> Raw:
        """The picture as torchvision decodes it."""
        split, _, row = key.partition("/")
        image = self._parts[split][int(row)][0]
        return image if hasattr(image, "getexif") else np.asarray(image)

    def _load(self) -> dict[str, Any]:
        takes = inspect.signature(self._kind).parameters
        if "train" in takes:
            return {"train": self._made(train=True), "test": self._made(train=False)}
        if "split" in takes:
            found = {}
            for split, values in _VALUES.items():
                found[split] = next(
                    (made for value in values if (made := self._maybe(value)) is not None), None
                )
            if any(part is not None for part in found.values()):
                return found
        return {"train": self._made()}

    def _maybe(self, value: str) -> Any:
        """A split that the data set may not have."""
        try:
            return self._made(split=value)
        except ValueError:
            return None

    def _made(self, **asked: Any) -> Any:
        takes = inspect.signature(self._kind).parameters
        arguments: dict[str, Any] = dict(asked)
        if "root" in takes:
            self._root.mkdir(parents=True, exist_ok=True)
            arguments["root"] = os.fspath(self._root)
        if "download" in takes:
            arguments["download"] = True
        try:
            return self._kind(**arguments)
        except ValueError:
            raise
        except Exception as error:  # no network, no such file, an archive that is none
            said = " ".join(str(error).split())[:300]
            raise InputError(
                f"torchvision's {self._kind.__name__} must be fetched or lie in {os.fspath(self._root)!r} "
                f"(name another folder with 'torchvision:{self._kind.__name__}:FOLDER'), but: {said}"
            ) from None


def _find(called: str) -> Any:
    import torchvision.datasets as sets

    names = [name for name in sets.__all__ if "Folder" not in name and "VisionDataset" not in name]
    by_name = {name.lower(): name for name in names}
    if called.lower() not in by_name:
        close = get_close_matches(called.lower(), by_name, n=3)
        known = [by_name[name] for name in close] or sorted(names)
        raise InputError(
            f"torchvision must have a data set of the name, but got {called!r}; close: {', '.join(known[:8])}"
        )
    return getattr(sets, by_name[called.lower()])


def _class_names(part: Any) -> tuple[str, ...] | None:
    names = getattr(part, "classes", None) or getattr(part, "categories", None)
    if not isinstance(names, (list, tuple)) or not all(
        isinstance(name, (str, tuple, list)) for name in names
    ):
        return None
    return tuple(name if isinstance(name, str) else name[0] for name in names)  # ImageNet's have synonyms


def _labels(part: Any) -> list[int]:
    for attribute in _TARGETS:
        values = getattr(part, attribute, None)
        if values is not None and len(values) == len(part):
            return [int(value) for value in np.asarray(values).reshape(-1)]
    return [_whole(part[row][1], part) for row in range(len(part))]


def _whole(label: Any, part: Any) -> int:
    if isinstance(label, (int, np.integer)) or (hasattr(label, "ndim") and not label.ndim):
        return int(label)
    raise InputError(
        f"torchvision's {type(part).__name__} must have one class an image, but its labels are "
        f"{type(label).__name__}"
    )
