"""How far a check has come: a bar on a terminal, on standard error, and nothing where nobody looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Bar:
    """A bar for what is being done now.

    Args:
        progress: Draws it.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def on_phase(self, text: str) -> None:
        """Something else is being done."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(text, total=None)

    def on_progress(self, done: int, total: int) -> None:
        """So many images of so many."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total)


@contextmanager
def on_terminal() -> Iterator[Bar]:
    """Bars while the context lasts."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress)
