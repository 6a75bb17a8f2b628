"""Names from data sets and files, as they can be printed and put into Markdown."""

from __future__ import annotations

import html
from pathlib import Path

from search.view.words import printable


def markdown(text: str) -> str:
    """Text that Markdown shows as it is."""
    escaped = "".join(f"\\{mark}" if mark in "\\`*_[]|#~!$" else mark for mark in printable(text))
    return html.escape(escaped, quote=False)


def name_of(data: str) -> str:
    """A data set's name without the folders of whoever has it."""
    return Path(data).name if Path(data).is_absolute() else data
