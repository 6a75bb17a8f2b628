"""The image files that paths stand for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from spaces import InputError
from trainables.data.sources.folder import image_suffixes


def picture_files(paths: Iterable[Path]) -> list[Path]:
    """Files as they are, and of folders all images below them, sorted.

    Hidden files and folders in a folder, and files whose names end in nothing that Pillow or NumPy reads, are passed
    over; links to folders are not followed.

    Args:
        paths: Of files and folders.

    Raises:
        InputError: There is nothing at a path, or no image in a folder.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            if not path.exists():
                raise InputError(
                    f"an image must be a file or folder that is there, but there is no {os.fspath(path)!r}"
                )
            found.append(path)
            continue
        inside = list(_below(path))
        if not inside:
            raise InputError(f"a folder must have images in it or below it, but {os.fspath(path)!r} has none")
        found += inside
    return found


def _below(folder: Path) -> Iterator[Path]:
    suffixes = image_suffixes()
    try:
        for where, below, files in os.walk(folder, onerror=_refuse):
            below[:] = sorted(name for name in below if not name.startswith((".", "__MACOSX")))
            for name in sorted(files):
                if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:
                    yield Path(where, name)
    except OSError as error:
        raise InputError(f"{error.filename} must be readable, but: {error.strerror}") from None


def _refuse(error: OSError) -> None:
    raise error
