"""A sentence on a terminal, folded between words."""

from __future__ import annotations

import re
import textwrap

from rich.console import Console
from rich.text import Text


def say(console: Console, text: str, style: str = "", *, copied: bool = False) -> None:
    """A sentence as it is: no markup is read out of it. What will be copied is not broken into lines."""
    if copied:
        console.print(Text(text, style=style), soft_wrap=True)
        return
    # A figure and its unit stay on one line.
    bound = re.sub(r" (?=[%±=])|(?<=[±=]) ", "\N{NO-BREAK SPACE}", text)
    lines = textwrap.wrap(bound, max(console.width, 20), break_long_words=False, break_on_hyphens=False)
    console.print(Text("\n".join(lines).replace("\N{NO-BREAK SPACE}", " "), style=style))
