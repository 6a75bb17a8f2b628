"""Files and folders that are whole or not there: written aside, synced, renamed."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that a crash at any moment leaves the old one or the new one.

    Args:
        path: The file.
        write: Writes what is to be in it.

    Raises:
        OSError: The disk is full or the folder cannot be written; the old file is still whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with aside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync(path.parent)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder aside to write into, which gets its name when the context ends well, and is gone when it does not.

    Args:
        path: The name; nothing may be there but an empty folder.

    Raises:
        OSError: It cannot be made, or something is there (``ENOTEMPTY``, ``EEXIST``, ``ENOTDIR``).
    """
    path = Path(os.path.realpath(path))
    _check_free(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    aside.mkdir()
    try:
        yield aside
        _sync(aside)
        os.rename(aside, path)  # in the place of an empty folder too, and of nothing else
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    _sync(path.parent)


def _check_free(path: Path) -> None:
    """Found out before anything is computed."""
    if path.is_dir():
        if any(path.iterdir()):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))
    elif path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)  # else a power cut may forget the new name
    finally:
        os.close(opened)
