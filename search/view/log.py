"""The experimenter's log in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from search.hypotheses.log import Entry
from search.view import words

STYLES = {"supported": "green", "contradicted": "red"}


def print_log(entries: Sequence[Entry], console: Console) -> None:
    """A hypothesis after the other, each with its outcome below."""
    for entry in entries:
        head = Text(f"{entry.study}", style="bold")
        console.print(head.append(f"  on {words.one_line(entry.data, 60)}", "not bold dim"))
        console.print(Text(f"  {words.one_line(entry.hypothesis, 400)}"))
        console.print(outcome(entry))


def outcome(entry: Entry) -> Text:
    """What came of it, on a line of its own."""
    if entry.outcome is None:
        return Text("  open: the study is not over", style="dim")
    verdict = Text(f"  {entry.outcome.verdict}", style=STYLES.get(entry.outcome.verdict, "yellow"))
    evidence = words.one_line(entry.outcome.evidence, 600)
    return verdict.append(f" ({entry.outcome.at[:10]}): {evidence}", "default")
