"""What changing one thing about the winner does, in a terminal: a chart of effects with their intervals."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.answer.changes import Change, Changes
from search.view import words

WIDEST, NARROWEST = 31, 15
"""Columns of the chart: an odd number, so that zero has one."""
STYLES = {"better": "green", "worse": "red", "fails": "red"}


def render_changes(changes: Changes, console: Console) -> None:
    """Print them; those that were not trained yet as such."""
    console.print()
    console.print(Text("What changing one thing about the winner does", style="bold"))
    rows = [
        (
            change.parameter,
            f"{words.number(change.before)} → {words.number(change.after)}",
            effect(change),
            change.verdict if change.verdict in STYLES else "",
        )
        for change in changes.changes
    ]
    headings = ("parameter", "change", "effect", "")
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    room = console.width - sum(widths) - 2 * len(widths)
    chart = min(WIDEST, room - 1 + room % 2)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("parameter", overflow="fold")
    table.add_column("change", no_wrap=True, overflow="ellipsis")
    table.add_column("effect", justify="right", no_wrap=True)
    if chart >= NARROWEST:
        table.add_column("", no_wrap=True)
    table.add_column("", no_wrap=True)
    reach = _reach(changes)
    for change, (name, values, said, told) in zip(changes.changes, rows, strict=True):
        bar = [_bar(change, reach, chart)] if chart >= NARROWEST else []
        table.add_row(Text(name), Text(values), Text(said), *bar, Text(told, style=STYLES.get(told, "")))
    console.print(table)
    for sentence in sentences(changes):
        console.print(Text(sentence))


def sentences(changes: Changes) -> list[str]:
    """What follows, in sentences."""
    seeds = words.count(changes.seeds, "seed")
    said = [f"Mean over {seeds} of changed less unchanged, paired; best validation score."]
    if any(change.margin is not None for change in changes.changes):
        said.append("The intervals hold all at once, 19 times of 20.")
    elif changes.changes and not changes.left:
        said.append("With a single seed nothing says how much of it is chance: --seeds 3 does.")
        return said
    better = [change for change in changes.changes if change.verdict == "better"]
    if better:
        best = max(better, key=lambda change: change.effect or 0.0)
        said.append(
            f"{best.parameter}={words.number(best.after)} makes the winner better: the search stopped too soon, or too "
            "few trials came near."
        )
    elif not changes.left and changes.changes:
        said.append("No change makes the winner better.")
    telling = [change.parameter for change in changes.changes if change.verdict in {"worse", "fails"}]
    if telling:
        said.append(f"It is sensitive to {words.listed(list(dict.fromkeys(telling)))}.")
    if changes.left:
        said.append(f"{words.count(changes.left, 'training')} to go: the same command goes on.")
    return said


def effect(change: Change) -> str:
    """What a change does to the score, with half the width of its interval, and what failed."""
    if change.effect is None:
        return f"{change.failed} failed" if change.failed else words.NONE
    failed = f", {change.failed} failed" if change.failed else ""
    margin = "" if change.margin is None else f" ± {change.margin:.3f}"
    return f"{change.effect:+.3f}{margin}{failed}"


def _reach(changes: Changes) -> float:
    """What the chart's half stands for: the longest interval that is not mostly margin."""
    ends = [abs(one.effect) + (one.margin or 0.0) for one in changes.changes if one.effect is not None]
    return max(ends, default=0.0) or 1.0


def _bar(change: Change, reach: float, width: int) -> Text:
    """``──┼─●──``: the interval, the effect, and zero in the middle."""
    middle = width // 2
    cells = [" "] * width
    if change.effect is not None:

        def column(value: float) -> int:
            return min(max(round(middle + middle * value / reach), 0), width - 1)

        margin = change.margin or 0.0
        low, high = column(change.effect - margin), column(change.effect + margin)
        cells[low : high + 1] = "─" * (high + 1 - low)
        cells[middle] = "┼" if low <= middle <= high else "│"
        cells[column(change.effect)] = "●"
    else:
        cells[middle] = "│"
    return Text("".join(cells), style=STYLES.get(change.verdict, "dim"))
