"""What an export wrote, and what can be done with it."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console

from search.view.words import printable
from trainables.data.store.build import megabytes


def print_exported(folder: Path, console: Console) -> None:
    """The files with their sizes, and how to use them.

    Args:
        folder: The written one.
        console: Where to.
    """
    files = sorted(folder.iterdir())
    size = megabytes(sum(file.stat().st_size for file in files))
    for line in (
        f"{printable(str(folder))}: {', '.join(file.name for file in files)} ({size})",
        f"finetune-search predict {shlex.quote(printable(str(folder)))} image.jpg",
    ):
        console.print(line, markup=False, soft_wrap=True)
