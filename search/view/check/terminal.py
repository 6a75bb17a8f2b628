"""A report about a data set in a terminal: what is wrong, worst first, and what to do."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.text import Text

from search.view import words
from search.view.say import say
from trainables.quality.finding import Finding, Mention, Severity
from trainables.quality.report import Measures, Report

STYLES = {Severity.BLOCKER: "bold red", Severity.WARNING: "bold yellow", Severity.NOTICE: "bold cyan"}
SHOWN = 4
"""Examples of a finding."""

COLUMN = 9
"""Characters of the severity's column."""


def render_check(report: Report, console: Console, *, shown: int = SHOWN) -> None:
    """Print a report; lines are folded to the console's width.

    Args:
        report: What was found.
        console: Where to.
        shown: Examples of each finding.
    """
    say(console, headline(report), style="bold")
    say(console, split_line(report))
    if report.measures is not None:
        say(console, measure_line(report.measures))
    console.print()
    for finding in report.findings:
        _finding(report, finding, console, shown)
    for kind, reason in report.skipped:
        _row(console, "skipped", "dim", f"{kind.replace('_', ' ')}: {reason}.")
    if report.skipped:
        console.print()
    say(console, verdict(report), style="bold")


def headline(report: Report) -> str:
    """How large the data set is."""
    images = len(report.listing)
    unread = f", {report.readable:,} of them readable" if report.readable < images else ""
    return (
        f"{words.one_line(report.name, 60)}: {images:,} image{'s' if images != 1 else ''}{unread}, "
        f"{words.count(len(report.listing.classes), 'class').replace('classs', 'classes')}"
    )


def split_line(report: Report) -> str:
    """Images a split, and the sizes of the classes."""
    by_class = report.images_by()
    totals: dict[str, int] = {}
    for counts in by_class.values():
        for split, count in counts.items():
            totals[split] = totals.get(split, 0) + count
    if set(totals) == {"unassigned"}:
        splits = "no splits of its own (a study makes them)"
    else:
        order = ("train", "val", "test", "unassigned")
        splits = ", ".join(f"{name} {totals[name]:,}" for name in order if name in totals)
    sizes = {name: sum(counts.values()) for name, counts in by_class.items()}
    largest, smallest = max(sizes, key=lambda name: sizes[name]), min(sizes, key=lambda name: sizes[name])
    if sizes[largest] == sizes[smallest]:
        return f"{splits}; {sizes[largest]:,} images a class"
    return (
        f"{splits}; classes from {words.one_line(smallest, 30)} ({sizes[smallest]:,}) to "
        f"{words.one_line(largest, 30)} ({sizes[largest]:,})"
    )


def measure_line(measures: Measures) -> str:
    """Sizes, shapes and channels."""
    least, median, most = measures.side
    sides = (
        f"{least:.0f} pixels" if least == most else f"{least:.0f} to {most:.0f} pixels (median {median:.0f})"
    )
    narrow, usual, wide = measures.aspect
    shapes = (
        f"{usual:.2g}" if f"{narrow:.2g}" == f"{wide:.2g}" else f"{narrow:.2g} to {wide:.2g} ({usual:.2g})"
    )
    mean, deviation = (
        ", ".join(f"{value:.2f}" for value in of) for of in (measures.mean, measures.deviation)
    )
    return f"shorter side {sides}; width over height {shapes}; channels' mean {mean}, deviation {deviation}"


def verdict(report: Report) -> str:
    """What it all comes to, in one sentence."""
    if report.meaningless:
        first = next(finding for finding in report.findings if finding.severity is Severity.BLOCKER)
        return f"Training on this would be meaningless: {first.kind.replace('_', ' ')}."
    warnings = sum(finding.severity is Severity.WARNING for finding in report.findings)
    notices = len(report.findings) - warnings
    if not report.findings:
        return "Nothing wrong was found."
    parts = [
        words.count(count, noun) for count, noun in ((warnings, "warning"), (notices, "notice")) if count
    ]
    return f"{' and '.join(parts)}; training is possible."


def example(report: Report, group: tuple[Mention, ...], most: int = 3) -> str:
    """Images of one group, with what is so with them."""
    named = [
        words.one_line(report.listing.keys[mention.row], 60)
        + (f" ({words.one_line(mention.note, 60)})" if mention.note else "")
        for mention in group[:most]
    ]
    more = f" = {len(group) - most:,} more" if len(group) > most else ""
    return " = ".join(named) + more


def _finding(report: Report, finding: Finding, console: Console, shown: int) -> None:
    _row(console, finding.severity.name, STYLES[finding.severity], finding.says)
    for group in finding.groups[:shown]:
        _row(console, "", "", f"· {example(report, group)}", style="dim", hanging=2)
    if len(finding.groups) > shown:
        _row(console, "", "", f"· and {len(finding.groups) - shown:,} more", style="dim")
    _row(console, "", "", f"→ {finding.advice}", hanging=2)
    console.print()


def _row(
    console: Console, mark: str, mark_style: str, text: str, *, style: str = "", hanging: int = 0
) -> None:
    """A line with a mark before it, folded under itself."""
    indent = " " * (COLUMN + hanging)
    lines = textwrap.wrap(
        text, console.width, initial_indent=" " * COLUMN, subsequent_indent=indent, break_on_hyphens=False
    )
    for number, line in enumerate(lines or [""]):
        whole = Text(line, style=style)
        if number == 0 and mark:
            whole = Text(f"{mark:<{COLUMN}}", style=mark_style) + Text(line[COLUMN:], style=style)
        console.print(whole, soft_wrap=True)
