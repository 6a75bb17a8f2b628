"""Stored features are kept as long as there is room: those that were asked for longest ago go first."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

MOST_OF_ALL = 20 * 2**30
"""Features of all studies of a machine together; those of one study stay, however large."""
OF_THE_DISK = 0.1
"""Nor may they be more than this share of the disk."""


def make_room(folder: Path, keep: Path, most: int | None = None) -> None:
    """Remove the folders in `folder` that were touched longest ago, until what is left is no more than `most`.

    A process that has one of their files open goes on reading it.

    Args:
        folder: Where each network and data set has a folder of its own.
        keep: The one of them that stays.
        most: Bytes; by the disk if not given.
    """
    with suppress(OSError):  # another process removes some as well
        limit = _limit(folder) if most is None else most
        sizes = {one: size for one in folder.iterdir() if (size := _size(one))}
        total = sum(sizes.values())
        for one in sorted(sizes, key=_touched):
            if total <= limit:
                return
            if one != keep:
                shutil.rmtree(one, ignore_errors=True)
                total -= sizes[one]


def _limit(folder: Path) -> int:
    return min(MOST_OF_ALL, int(OF_THE_DISK * shutil.disk_usage(folder).total))


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir()) if folder.is_dir() else 0


def _touched(folder: Path) -> float:
    return folder.stat().st_mtime if folder.exists() else 0.0
