"""A store that is there: opened, or built first where the source has changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from spaces import InputError
from trainables.data.facts import Facts
from trainables.data.listing import Listing
from trainables.data.parallel import Progress
from trainables.data.preprocessing import Preprocessing
from trainables.data.sources.source import Source
from trainables.data.store.build import build, digests_of, megabytes
from trainables.data.store.layout import (
    PARTS,
    Layout,
    contents_key,
    counts_of,
    digest,
    is_whole,
    parts_of,
    picture_bytes,
    read_json,
    rows_of,
)
from trainables.data.store.pictures import Pictures, Place


@dataclass(frozen=True)
class Store:
    """The decoded pictures of a source as it is now.

    Args:
        name: The source as the user calls it.
        listing: Its images, [N].
        facts: What reading each has shown, [N].
        preprocessing: What is stored of each.
        contents: Key of what the images hold.
        layout: Where it lies.
    """

    name: str
    listing: Listing
    facts: Facts
    preprocessing: Preprocessing
    contents: str
    layout: Layout = field(repr=False)

    @cached_property
    def parts(self) -> NDArray[np.int64]:
        """Each image's file, as an index into `PARTS`, [N]."""
        return parts_of(self.listing.splits)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Each image's row in its file, [N]."""
        return rows_of(self.listing.splits)

    @cached_property
    def files(self) -> dict[str, Pictures]:
        """File's name → all its pictures, mapped."""
        return {
            part: Pictures.at(Place(self.name, self.preprocessing, self.contents, part, images), self.layout)
            for part, images in counts_of(self.listing.splits).items()
        }

    def picture(self, image: int) -> NDArray[np.uint8]:
        """One image of the listing, [side, side, channels]; of an unreadable one, zeros."""
        pictures = self.files[PARTS[self.parts[image]]]
        found: NDArray[np.uint8] = np.asarray(pictures[int(self.rows[image])])
        return found

    def remembered(self, name: str, make: Callable[[], NDArray[np.int64]]) -> NDArray[np.int64]:
        """An array [N] that follows from the images alone, made once and kept beside them."""
        path = self.layout.whole(self.contents) / f"{name}.npy"
        try:
            found: NDArray[np.int64] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            found = make()
            aside = path.with_suffix(f".{os.getpid()}.tmp")
            with aside.open("wb") as file:
                np.save(file, found, allow_pickle=False)
            os.replace(aside, path)
        return found


def open_store(
    name: str,
    source: Source,
    preprocessing: Preprocessing,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Store:
    """The store of what `source` holds now; built if there is none, also when two ask at once.

    Args:
        name: The source as the user calls it, the same for the same source.
        source: Gives the images.
        preprocessing: What is stored of each.
        progress: Told (images done, of how many) while it is built.
        tell: Told in a few words what is built and how large it will be, before it is.

    Raises:
        InputError: The source has no images, the disk has no room, or the folder cannot be written.
    """
    listing = Listing.of(source.samples(), source.classes())
    if not len(listing):
        raise InputError(f"data {name!r} must have images, but has none")
    layout = Layout.of(name, preprocessing)
    stamp = _stamp(source, listing)
    try:
        layout.folder.mkdir(parents=True, exist_ok=True)
        found = _known(layout, stamp)
        if found is None:
            with _alone(layout, tell):
                found = _known(layout, stamp)  # somebody else may have built it while we waited
                if found is None:
                    found = _unchanged(layout, source, listing)
                if found is None:
                    size = len(listing) * picture_bytes(preprocessing)
                    tell(f"decoding {len(listing):,} images into {megabytes(size)} (once)")
                    found = build(source, listing, preprocessing, layout, progress)
                _remember(layout, stamp, found)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InputError(
            f"the cache must be a folder that can be written, but {layout.folder}: {error.strerror}"
        ) from None
    whole = layout.whole(found)
    return Store(name, listing, Facts.load(whole / "facts.npz"), preprocessing, found, layout)


@contextmanager
def _alone(layout: Layout, tell: Callable[[str], None]) -> Iterator[None]:
    """One builder at a time."""
    lock = FileLock(layout.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell("waiting for another process that decodes the same images")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _unchanged(layout: Layout, source: Source, listing: Listing) -> str | None:
    """The store of these images, if their bytes are those that a store was made of, whatever their times."""
    if not layout.stores():
        return None
    contents = contents_key(listing, digests_of(source, listing))
    return contents if is_whole(layout.whole(contents)) else None


def _stamp(source: Source, listing: Listing) -> str | None:
    """What changes when any image may have changed; none if only reading them can tell."""
    stamps = []
    for key, split in zip(listing.keys, listing.splits.tolist(), strict=True):
        stamp = source.stamp(key)
        if stamp is None:
            return None
        stamps += [key, str(split), stamp]
    return digest(stamps)


def _known(layout: Layout, stamp: str | None) -> str | None:
    """Contents that these sizes and times were found to be, if their store is whole."""
    if stamp is None:
        return None
    contents = (read_json(layout.stamps) or {}).get(stamp)
    return contents if isinstance(contents, str) and is_whole(layout.whole(contents)) else None


def _remember(layout: Layout, stamp: str | None, contents: str) -> None:
    """Write down what these sizes and times are; the caller holds the lock."""
    if stamp is None:
        return
    known = {**(read_json(layout.stamps) or {}), stamp: contents}
    aside = layout.stamps.with_suffix(f".{os.getpid()}.tmp")
    aside.write_text(json.dumps(dict(list(known.items())[-64:])), "utf-8")
    os.replace(aside, layout.stamps)
