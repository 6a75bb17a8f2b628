"""The best trials of a study as a table that fits the console, however narrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.diagnoses import short
from search.result import StudyResult, TrialSummary
from search.view import words
from trainables.diagnosis.registry import title_of

ROWS = 10
"""Trials that are shown."""
WIDE = 100
"""Columns of a console from which there are two blanks between columns, not one."""
NEEDED = 16
"""Columns of a console that the recipe needs at least."""


def winner_of(result: StudyResult) -> TrialSummary | None:
    """The winner, or none where no trial is COMPLETE."""
    try:
        return result.best
    except LookupError:
        return None


def print_leaderboard(result: StudyResult, console: Console) -> None:
    """Print the best trials, a line each.

    Figures first, then as many parameters as the console is wide; those without room are named below.
    """
    shown = result.ranking()[:ROWS]
    winner = winner_of(result)
    rows = [words.folded(trial.params) for trial in shown]
    gap = 2 if console.width >= WIDE else 1
    figures = _figures(shown, console.width - NEEDED, gap)
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim")
    room = console.width
    for heading, values in figures.items():
        width = _width(heading, values)
        room -= width + gap
        table.add_column(
            heading,
            justify="left" if heading in {"state", "diagnosis"} else "right",
            min_width=width,
            no_wrap=True,
            vertical="bottom",
        )
    columns, left_out = _fitting(rows, room, gap)
    for name in columns:
        table.add_column(_heading(name), max_width=room, no_wrap=True, overflow="ellipsis", vertical="bottom")
    for trial, figure, row in zip(shown, zip(*figures.values(), strict=True), rows, strict=True):
        best = winner is not None and trial.number == winner.number
        params = [Text(row.get(name, words.NONE)) for name in columns]
        table.add_row(*figure, *params, style="bold" if best else "dim" if trial.state == "FAIL" else "")
    console.print(table)
    if left_out:
        console.print(Text(f"Not shown for want of room: {', '.join(left_out)}.", style="dim"))
    ended = [str(trial.number) for trial in shown if trial.state == "COMPLETE" and trial.reason]
    if ended:
        which = f"trial{'s' * (len(ended) > 1)} {', '.join(ended)}"
        console.print(Text(f"Ended by their own rule before the full budget: {which}.", style="dim"))
    if counts := Counter(title_of(trial.diagnosis[0].name) for trial in result.trials if trial.diagnosis):
        told = ", ".join(f"{title} ({count})" for title, count in counts.most_common())
        console.print(Text(f"What is wrong with trials, the worst of each: {told}.", style="dim"))
    if len(result.trials) > len(shown):
        console.print(Text(f"The best {len(shown)} of {len(result.trials)} trials.", style="dim"))


def _figures(trials: Sequence[TrialSummary], room: int, gap: int) -> dict[str, list[str]]:
    """The columns that every study has; the last ones go where there is no room."""
    columns = {
        "trial": [str(trial.number) for trial in trials],
        "state": [trial.state for trial in trials],
        "score": [words.score(trial.score) for trial in trials],
        "epochs": [str(trial.epochs) for trial in trials],
        "time": [words.clock(trial.seconds) for trial in trials],
    }
    if any(trial.diagnosis for trial in trials):
        columns["diagnosis"] = [short(trial.diagnosis) or words.NONE for trial in trials]
    while len(columns) > 3 and sum(_width(*column) + gap for column in columns.items()) > room:
        columns.popitem()
    return columns


def _fitting(rows: Sequence[dict[str, str]], room: int, gap: int) -> tuple[list[str], list[str]]:
    """Which parameters have room, and which of those that differ between the trials have none.

    The first one is always shown (and cut if it must be); one that is the same everywhere tells nothing.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: [row.get(name, words.NONE) for row in rows] for name in names}
    names = [name for name in names if len(set(cells[name])) > 1] or names[:1]
    names.sort(key=lambda name: not any(" " in cell for cell in cells[name]))  # choices with options first
    fitting: list[str] = []
    for name in names:
        width = _width(_heading(name), cells[name])
        if not fitting or width <= room:
            fitting.append(name)
            room -= width + gap
    return fitting, [name for name in names if name not in fitting]


def _heading(name: str) -> str:
    """A long name on several lines, so that it takes no more room than its values."""
    return name.replace("_", "\n").replace(".", "\n")


def _width(heading: str, cells: Sequence[str]) -> int:
    return max(len(part) for part in [*heading.split("\n"), *cells])
