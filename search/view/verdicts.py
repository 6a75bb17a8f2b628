"""Verdicts on a study, in a terminal: each with its evidence and the command that follows."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from search.verdicts.verdict import Verdict
from search.view.words import one_line


def render_verdicts(verdicts: Sequence[Verdict], study: str, elsewhere: str, console: Console) -> None:
    """Print them; nothing where there are none.

    Args:
        verdicts: In the order in which they are said.
        study: Its name.
        elsewhere: The option that names its store, where that is another than the working folder's.
        console: Where to.
    """
    if not verdicts:
        return
    console.print()
    console.print(Text("What to look at", style="bold"))
    for verdict in verdicts:
        said = Text(f"{verdict.kind}: ", style="yellow")
        console.print(said.append(one_line(verdict.says), "default"))
        console.print(Text(f"  {one_line(verdict.evidence, 600)}", style="dim"))
        if command := verdict.command(study):
            console.print(Text(f"  {command}{elsewhere}"), soft_wrap=True)
