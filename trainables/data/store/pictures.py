"""Pictures in a file, mapped into memory: pickled as where they lie, never as what they are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces import InputError
from trainables.data.preprocessing import Preprocessing
from trainables.data.store.layout import Layout


@dataclass(frozen=True)
class Place:
    """Which pictures of which store, wherever a machine keeps its stores.

    Args:
        source: The source as the user names it.
        preprocessing: What is stored of each picture.
        contents: Key of the store.
        part: Name of its file.
        images: Pictures in it.
    """

    source: str
    preprocessing: Preprocessing
    contents: str
    part: str
    images: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """[N, side, side, channels]."""
        side = self.preprocessing.side
        return self.images, side, side, self.preprocessing.channels

    def path(self, layout: Layout) -> Path:
        """Its file on this machine."""
        return layout.whole(self.contents) / f"{self.part}.u8"

    def is_there(self, layout: Layout) -> bool:
        """Whether this machine has the whole file."""
        try:
            return os.stat(self.path(layout)).st_size == int(np.prod(self.shape))
        except OSError:
            return False


class Pictures(np.memmap):
    """[N, side, side, channels], uint8, read-only. A pickle of it is a `Place`; parts of it are ordinary arrays."""

    place: Place | None

    @classmethod
    def at(cls, place: Place, layout: Layout) -> Pictures:
        """Map the file into memory; nothing is read yet."""
        made = np.memmap.__new__(cls, place.path(layout), dtype=np.uint8, mode="r", shape=place.shape)
        assert isinstance(made, cls)
        made.place = place
        return made

    def __array_finalize__(self, other: Any) -> None:
        """Numpy's call for each array that comes of this one: those are not the whole file."""
        super().__array_finalize__(other)
        self.place = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        """The place of the whole file, or the numbers of a part of it."""
        if self.place is not None:
            return reopen, (self.place,)
        return np.asarray(self).view(np.ndarray).__reduce_ex__(protocol)


def reopen(place: Place) -> NDArray[np.uint8]:
    """The pictures on this machine: its own store, built from the source where it is not there yet.

    Raises:
        InputError: The source holds other images here, or is not here.
    """
    layout = Layout.of(place.source, place.preprocessing)
    if not place.is_there(layout):
        from trainables.data.sources.find import find_source
        from trainables.data.store.store import open_store

        source = find_source(place.source)
        if source is None:
            raise InputError(
                f"data {place.source!r} must be there on each machine that trains, but is not on this one"
            )
        built = open_store(place.source, source, place.preprocessing)
        if built.contents != place.contents:
            raise InputError(
                f"data {place.source!r} must be the same on each machine that trains, but here it holds "
                f"other images (contents {built.contents}, not {place.contents})"
            )
    return Pictures.at(place, layout)
