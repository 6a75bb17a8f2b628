"""Files that a check leaves behind: written whole or not at all, and never over somebody else's."""

from __future__ import annotations

import json
import os
from pathlib import Path

from spaces import InputError
from trainables.quality.report import Report

MARK = "finetune-search check"
"""In every file that we write: only what bears it is written over."""


def write_json(report: Report, path: Path) -> None:
    """The report as JSON. File names that are no text are written as their bytes are escaped.

    Raises:
        InputError: There is a file of another kind, or none can be written there.
    """
    write_ours(path, json.dumps({"made_by": MARK, **report.to_dict()}, indent=1))


def write_ours(path: Path, text: str) -> None:
    """Put `text` into a new file, or in the place of one that we wrote.

    Raises:
        InputError: There is a file of another kind, or none can be written there.
    """
    try:
        if not _may_be_written(path):
            raise InputError(
                f"a report must go to a new file, or in the place of an older one, but {path} is another"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        aside.write_bytes(text.encode("utf-8", errors="backslashreplace"))
        os.replace(aside, path)
    except OSError as error:
        raise InputError(
            f"a report must be a file that can be written, but {path}: {error.strerror}"
        ) from None


def _may_be_written(path: Path) -> bool:
    if not path.exists() and not path.is_symlink():
        return True
    return path.is_file() and MARK in path.read_text("utf-8", errors="replace")[:1000]
