"""What was seen before a study, on a terminal."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.text import Text

from search.preflight.preflight import Preflight
from search.view import words
from search.view.say import say
from trainables.preflight.result import Result, Verdict

STYLES = {
    Verdict.PASSED: "green",
    Verdict.SKIPPED: "dim",
    Verdict.WARNING: "bold yellow",
    Verdict.BLOCKER: "bold red",
}
MARKS = {
    Verdict.PASSED: "ok",
    Verdict.SKIPPED: "skipped",
    Verdict.WARNING: "WARNING",
    Verdict.BLOCKER: "BLOCKER",
}
COLUMN = 9
"""Characters of the verdict's column."""


def render_preflight(seen: Preflight, console: Console) -> None:
    """Print everything, in the order in which it was looked at."""
    say(console, f"{seen.study}: looked at in {seen.seconds:.0f} s", style="bold")
    say(console, settled(seen))
    console.print()
    for result in seen.results:
        _row(console, MARKS[result.verdict], STYLES[result.verdict], sentence(result))
        if result.remedy:
            _row(console, "", "", f"→ {result.remedy}")
    others = rates(seen)
    if others:
        console.print()
        for line in others:
            say(console, line)
    console.print()
    say(console, conclusion(seen), style="bold")


def settled(seen: Preflight) -> str:
    """What was measured and taken."""
    told = seen.settled
    micro = f", {told['micro_batch']} images in a pass" if "micro_batch" in told else ""
    compiled = "compiled" if told["compile"] is True else "not compiled"
    order = told["memory_format"].replace("_", " ")
    workers = words.count(told["workers"], "trial")
    return (
        f"taken here: {told['device']}, {told['precision']}, {order}, {compiled}, {workers} at a time with "
        f"{words.count(told['threads'], 'thread')} each{micro}"
    )


def rates(seen: Preflight) -> list[str]:
    """Learning rates by strategy, and how to take them."""
    told = {name: one for name, one in seen.rates.items() if one.figures.get("fell")}
    lines = [
        f"learning rate for {name}: {words.number(one.figures['suggested'])} suggested ({places(one)})"
        for name, one in told.items()
    ]
    if lines:
        lines.append(
            f"`finetune-search run {seen.study} --center-lr` searches a decade on either side of these"
        )
    return lines


def places(result: Result) -> str:
    """Where the ramp's loss fell and came apart."""
    told = result.figures
    return (
        f"steepest at {words.number(told['steepest'])}, in the valley {words.number(told['valley'])}, apart at "
        f"{words.number(told['apart'])}"
    )


def sentence(result: Result) -> str:
    """The evidence."""
    return f"{result.says[0].upper()}{result.says[1:]}."


def conclusion(seen: Preflight) -> str:
    """What it all comes to."""
    if seen.blockers:
        return f"The study cannot work: {_named(seen.blockers[0])}."
    if seen.warnings:
        count = words.count(len(seen.warnings), "warning")
        return f"The study can work; {count}: {', '.join(map(_named, seen.warnings))}."
    return "Nothing stands in its way."


def _named(result: Result) -> str:
    return result.fault.replace("_", " ")


def _row(console: Console, mark: str, style: str, text: str) -> None:
    lines = textwrap.wrap(
        text,
        max(console.width, 20 + COLUMN),
        initial_indent=" " * COLUMN,
        subsequent_indent=" " * COLUMN,
        break_on_hyphens=False,
        break_long_words=False,
    )
    for number, line in enumerate(lines or [""]):
        whole = Text(f"{mark:<{COLUMN}}" if number == 0 else " " * COLUMN, style=style if number == 0 else "")
        console.print(whole + Text(line[COLUMN:]), soft_wrap=True)
