"""Names from data sets and files, as they can be printed and put into Markdown."""

from __future__ import annotations

import html
from pathlib import Path


def plain(text: str) -> str:
    """Text on one line as a terminal shows it: what would be no mark but a command becomes `�`."""
    return "".join(mark if mark.isprintable() else "�" for mark in text)


def markdown(text: str) -> str:
    """Text that Markdown shows as it is."""
    escaped = "".join(f"\\{mark}" if mark in "\\`*_[]|#~!$" else mark for mark in plain(text))
    return html.escape(escaped, quote=False)


def name_of(data: str) -> str:
    """A data set's name without the folders of whoever has it."""
    return Path(data).name if Path(data).is_absolute() else data
