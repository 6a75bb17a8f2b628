"""The making of a store: each image read once, decoded by all cores, written where it belongs.

A store is built in a folder aside and gets its name, whole, when everything is on the disk: whoever is
killed leaves nothing that could be read. Pictures whose bytes an older store of the same source has decoded
are copied from it, so that a few new images cost a few images' time.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from spaces import InputError
from trainables.data.decoding import Row, decode, digest_of
from trainables.data.facts import UNREADABLE, Facts
from trainables.data.listing import Listing
from trainables.data.parallel import Progress, in_parallel
from trainables.data.preprocessing import Preprocessing
from trainables.data.sources.source import Source
from trainables.data.store.layout import (
    BUILDING,
    MISSING,
    PARTS,
    VERSION,
    Layout,
    contents_key,
    counts_of,
    is_whole,
    parts_of,
    picture_bytes,
    rows_of,
)
from trainables.data.store.older import Older

SPARE = 64 * 2**20
"""Bytes of the disk that a store leaves to others."""


def build(
    source: Source, listing: Listing, preprocessing: Preprocessing, layout: Layout, progress: Progress | None
) -> str:
    """Build the store of what the source holds now, and return its contents' key.

    The caller holds the family's lock.

    Args:
        source: Gives the images.
        listing: Names them.
        preprocessing: What is stored of each.
        layout: Where stores of this source lie.
        progress: Told (images done, of how many).

    Raises:
        InputError: The disk has no room for it, or nothing can be written there.
    """
    with _working_folder(layout, needs=len(listing) * picture_bytes(preprocessing)) as folder:
        files = _allocate(folder, listing, picture_bytes(preprocessing))
        try:
            facts = _decode_all(
                source, listing, preprocessing, Older.of(layout, preprocessing), files, progress
            )
            for file in files.values():
                os.fsync(file)
        finally:
            for file in files.values():
                os.close(file)
        contents = contents_key(listing, facts.digest.tolist())
        facts.save(folder / "facts.npz")
        _write_index(folder, listing, preprocessing, contents)
        _sync_all(folder)
        whole = layout.whole(contents)
        if is_whole(whole):
            return contents  # only the times of files had changed
        shutil.rmtree(whole, ignore_errors=True)  # somebody has cut it short
        os.rename(folder, whole)
        _sync(layout.folder)
    return contents


@contextmanager
def _working_folder(layout: Layout, needs: int) -> Iterator[Path]:
    """A new folder in the family's, gone at the end unless it was renamed; what killed builders left goes too."""
    for left in layout.folder.glob(f"{BUILDING}*"):
        shutil.rmtree(left, ignore_errors=True)
    free = shutil.disk_usage(layout.folder).free
    if free < needs + SPARE:
        raise InputError(no_room(layout, needs, free))
    folder = Path(tempfile.mkdtemp(prefix=BUILDING, dir=layout.folder))
    folder.chmod(0o755)
    try:
        yield folder
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise InputError(no_room(layout, needs, shutil.disk_usage(layout.folder).free)) from None
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def no_room(layout: Layout, needs: int, free: int) -> str:
    """The sentence for a disk that is too small."""
    return (
        f"the decoded images need {megabytes(needs)} on the disk of {layout.folder.parent}, but {megabytes(free)} "
        "are free; set FINETUNE_SEARCH_CACHE to a folder on a larger one, or take a smaller image_size"
    )


def megabytes(size: int) -> str:
    """``312 MB`` or ``4.1 GB``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


def _allocate(folder: Path, listing: Listing, size: int) -> dict[str, int]:
    """File's name → it, open, with room for all its pictures: a full disk shows now, not as a crash later."""
    files: dict[str, int] = {}
    for part, images in counts_of(listing.splits).items():
        files[part] = os.open(folder / f"{part}.u8", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            _reserve(files[part], images * size)
        except OSError:
            for opened in files.values():
                os.close(opened)
            raise
    return files


def _reserve(file: int, room: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file, 0, room)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system without the call
                raise
    os.ftruncate(file, room)


def _decode_all(
    source: Source,
    listing: Listing,
    preprocessing: Preprocessing,
    older: Older,
    files: dict[str, int],
    progress: Progress | None,
) -> Facts:
    """Read, decode and write every image; memory holds a few chunks at a time."""
    size = picture_bytes(preprocessing)
    parts, rows = parts_of(listing.splits), rows_of(listing.splits)

    def one(number: int) -> Row:
        try:
            raw = source.read(listing.keys[number])
        except OSError as error:
            return {"fault": UNREADABLE, "reason": error.strerror or str(error), "digest": MISSING}
        known = older.find(digest_of(raw)) if older else None
        pixels, row = known if known is not None else decode(raw, preprocessing)
        if pixels is not None:
            _write(files[PARTS[parts[number]]], pixels, int(rows[number]) * size)
        return row

    return Facts.gather(in_parallel(one, len(listing), progress), preprocessing.channels)


def digests_of(source: Source, listing: Listing, progress: Progress | None = None) -> list[str]:
    """What each image's bytes are now, without decoding them."""

    def one(number: int) -> str:
        try:
            return digest_of(source.read(listing.keys[number]))
        except OSError:
            return MISSING

    return in_parallel(one, len(listing), progress)


def _write(file: int, pixels: np.ndarray, offset: int) -> None:
    data = memoryview(pixels.tobytes())
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written


def _write_index(folder: Path, listing: Listing, preprocessing: Preprocessing, contents: str) -> None:
    index = {
        "version": VERSION,
        "contents": contents,
        "preprocessing": asdict(preprocessing),
        "side": preprocessing.side,
        "images": counts_of(listing.splits),
    }
    np.save(folder / "splits.npy", listing.splits, allow_pickle=False)
    (folder / "store.json").write_text(json.dumps(index, indent=1), "utf-8")


def _sync_all(folder: Path) -> None:
    for path in folder.iterdir():
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
