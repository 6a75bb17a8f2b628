"""Files that we leave beside a user's: written whole or not at all, and never over somebody else's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from spaces import InputError


def write_ours(path: Path, content: str | bytes, ours: Callable[[Path], bool]) -> None:
    """Put `content` into a new file, or in the place of one that we wrote.

    Args:
        path: Where to.
        content: Text, as UTF-8, or bytes.
        ours: Whether a file that is there was written by us.

    Raises:
        InputError: There is a file of another kind, or none can be written there.
    """
    check_ours(path, ours)
    data = content.encode("utf-8", errors="backslashreplace") if isinstance(content, str) else content
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(data)
        os.replace(aside, path)
    except OSError as error:
        raise _cannot(path, error) from None


def check_ours(path: Path, ours: Callable[[Path], bool]) -> None:
    """Refuse a path at which somebody else's file lies.

    Args:
        path: Where something is to be written.
        ours: Whether a file that is there was written by us.

    Raises:
        InputError: There is a file of another kind, or nobody can say.
    """
    try:
        if (path.exists() or path.is_symlink()) and not (path.is_file() and ours(path)):
            raise InputError(
                f"a report must go to a new file, or in the place of an older one, but {path} is another"
            )
    except OSError as error:
        raise _cannot(path, error) from None


def bearing(mark: str) -> Callable[[Path], bool]:
    """Tells text that bears a mark near its beginning."""
    return lambda path: mark in path.read_text("utf-8", errors="replace")[:1000]


def _cannot(path: Path, error: OSError) -> InputError:
    return InputError(f"a report must be a file that can be written, but {path}: {error.strerror}")
