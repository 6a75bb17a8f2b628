"""Where a store lies and what its files are called.

::

    <cache>/stores/<source and preprocessing>/
        lock                who builds
        stamps.json         the files' sizes and times → the contents that they were found to be
        <contents>/         a whole store, never changed
            store.json      written last
            facts.npz
            splits.npy      each image's split as the source names it, which says where its picture is
                pool.u8         pictures, one after the other, of what trains or is split by the project
            val.u8 test.u8  of what the source has put there
        building-…/         one that is being built, or was when something was killed

"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.cache import cache_folder
from trainables.data.listing import SPLITS, Listing
from trainables.data.preprocessing import Preprocessing

VERSION = 2
"""Of the layout."""

PARTS = ("pool", *SPLITS[1:])
"""Files of pictures. What the source names as test lies apart, where no trial's process opens it."""

BUILDING = "building-"

MISSING = "missing"
"""In place of an image's digest: there was nothing to read."""


@dataclass(frozen=True)
class Layout:
    """Names of one family of stores: those of one source with one preprocessing, whatever its files held.

    Args:
        folder: The family's.
    """

    folder: Path

    @classmethod
    def of(cls, name: str, preprocessing: Preprocessing, stores: Path | None = None) -> Layout:
        """The family of the source called `name`.

        Args:
            name: As the user calls the source, a path from the root.
            preprocessing: What is stored of each picture.
            stores: Where stores are kept; ``stores`` in the cache if not given.
        """
        key = digest([name, preprocessing.key(), str(VERSION)])
        return cls((stores or cache_folder() / "stores") / key)

    @property
    def lock(self) -> Path:
        """Held by who builds."""
        return self.folder / "lock"

    @property
    def stamps(self) -> Path:
        """What is known of files without reading them."""
        return self.folder / "stamps.json"

    def whole(self, contents: str) -> Path:
        """The store of certain contents."""
        return self.folder / contents

    def stores(self) -> list[Path]:
        """All whole stores, the newest first."""
        found = [
            path for path in self.folder.glob("*/store.json") if not path.parent.name.startswith(BUILDING)
        ]
        return [path.parent for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]


def parts_of(splits: NDArray[np.int8]) -> NDArray[np.int64]:
    """Each image's file as an index into `PARTS`, from its split as the source names it, [N]."""
    return np.maximum(splits, 0).astype(np.int64)


def rows_of(splits: NDArray[np.int8]) -> NDArray[np.int64]:
    """Each image's row in its file, [N]."""
    parts = parts_of(splits)
    rows = np.empty(len(parts), np.int64)
    for part in range(len(PARTS)):
        chosen = parts == part
        rows[chosen] = np.arange(int(chosen.sum()))
    return rows


def counts_of(splits: NDArray[np.int8]) -> dict[str, int]:
    """File → pictures in it, of the files that there are."""
    counts = np.bincount(parts_of(splits), minlength=len(PARTS)).tolist()
    return {name: count for name, count in zip(PARTS, counts, strict=True) if count}


def picture_bytes(preprocessing: Preprocessing) -> int:
    """Of one stored picture."""
    return preprocessing.side**2 * preprocessing.channels


def contents_key(listing: Listing, digests: Iterable[str]) -> str:
    """The same for the same images in the same order and files; labels are not in it."""
    return digest(
        part
        for key, split, found in zip(listing.keys, listing.splits.tolist(), digests, strict=True)
        for part in (key, str(split), found)
    )


def digest(parts: Iterable[str]) -> str:
    """BLAKE2b of strings one after the other, 24 hexadecimal digits."""
    state = hashlib.blake2b(digest_size=12)
    for part in parts:
        data = os.fsencode(part) if _encodable(part) else part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def _encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def read_json(path: Path) -> dict[str, object] | None:
    """What a small file of ours holds; none if it is not there or not whole."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def is_whole(folder: Path) -> bool:
    """Whether a store's files are there in their full length."""
    index = read_json(folder / "store.json")
    counts = (index or {}).get("images")
    if index is None or not isinstance(counts, dict) or not (folder / "facts.npz").is_file():
        return False
    size = _picture_bytes(index)
    return all(_length(folder / f"{part}.u8") == images * size for part, images in counts.items())


def _picture_bytes(index: dict[str, object]) -> int:
    side, settings = index.get("side"), index.get("preprocessing")
    channels = settings.get("channels") if isinstance(settings, dict) else None
    return side**2 * channels if isinstance(side, int) and isinstance(channels, int) else -1


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
