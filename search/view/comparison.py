"""A comparison of two recipes in a terminal, and the sentences of it that MLflow has too."""

from __future__ import annotations

import shlex
from statistics import fmean

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.answer.estimate import MOST_SEEDS
from search.comparison.comparison import Comparison
from search.comparison.difference import FIRST, LABELS, SECOND, value
from search.store.layout import Store
from search.view import words
from search.view.answer import short
from search.view.say import say


def render_comparison(comparison: Comparison, store: Store, console: Console) -> None:
    """Print what differs, a line a seed, what follows, and what to type next.

    Args:
        comparison: As far as it has come.
        store: Where it is kept.
        console: Where to.
    """
    console.print()
    say(console, f"Comparison {comparison.name}", style="bold")
    for sentence in (*sides(comparison), what_differs(comparison)):
        say(console, sentence)
    console.print()
    console.print(_table(comparison))
    console.print()
    say(console, comparison.verdict, style="bold")
    for sentence in further(comparison):
        say(console, sentence)
    console.print()
    say(console, "Next:", style="bold")
    commands = next_commands(comparison, store)
    longest = max(len(command) for command, _ in commands)
    for command, what in commands:
        say(console, f"  {command:<{longest}}  # {what}", copied=True)


def next_commands(comparison: Comparison, store: Store) -> list[tuple[str, str]]:
    """What may be typed next, each with what it is for."""
    at = f" --store {short(store.root)}" if store.root != Store.default().root else ""
    commands = [
        (f"finetune-search show {comparison.name}{at}", "this again"),
        (f"finetune-search ui{at}", "all trainings in MLflow"),
    ]
    seeds = more_seeds(comparison)
    if seeds is not None:
        typed = " ".join(shlex.quote(one.side.typed) for one in comparison.both)
        name = f" --name {comparison.name}"
        extra = "" if comparison.controlled else " --any-difference"
        command = f"finetune-search compare {typed}{name} --seeds {seeds}{extra}{at}"
        commands.insert(0, (command, "tell a difference of this size"))
    return commands


def sides(comparison: Comparison) -> list[str]:
    """What A is, and what B has in place of what A has."""
    first, second = comparison.first.side, comparison.second.side
    other = {one.name: one.second for one in comparison.differences}
    for one in comparison.differences:
        other |= {name: theirs for name, (_, theirs) in one.brings.items()}
    changes = words.listed(
        [f"{name}={value(theirs)}" for name, theirs in other.items() if theirs is not None]
    )
    return [
        f"{FIRST} is {first.typed}: {words.recipe(first.recipe.params)}",
        f"{SECOND} is {second.typed}: as {FIRST}" + (f", but {changes}" if changes else ""),
    ]


def what_differs(comparison: Comparison) -> str:
    """Whether it is controlled, and each difference."""
    found = comparison.differences
    if comparison.controlled:
        return " ".join(filter(None, [f"One thing differs: {found[0].words}.", found[0].caveat]))
    return (
        f"Not controlled: {len(found)} things differ, and what is found may be due to any of them: "
        f"{'; '.join(one.words for one in found)}."
    )


def verdict(comparison: Comparison) -> str:
    """Which is better and by how much, or how many seeds it would take to tell."""
    return _verdict(comparison) + ("" if comparison.controlled else f" {uncontrolled(comparison)}")


def uncontrolled(comparison: Comparison) -> str:
    """In brackets, that more than one thing differs."""
    return f"(Not controlled: {len(comparison.differences)} things differ.)"


def _verdict(comparison: Comparison) -> str:
    found = comparison.difference
    if comparison.failing is not None:
        return _failing(comparison, comparison.failing)
    if found is None:
        return _without_pairs(comparison)
    seeds = words.count(found.seeds, "seed")
    if found.margin is None:
        return (
            f"With a single seed {FIRST} and {SECOND} cannot be told apart: {SECOND} − {FIRST} is "
            f"{_signed(found.value)}, and nothing says how much of it is chance."
        )
    interval = (
        f"{abs(found.value):.4f} ± {found.margin:.4f} (95 % interval, paired by seed, n = {found.seeds})"
    )
    better = comparison.better
    if better is not None:
        return f"{better} is better by {interval}."
    said = f"{FIRST} and {SECOND} cannot be told apart with {seeds}"
    if not found.by_seeds:
        return f"{said}: no difference was seen at all."
    said += f": {SECOND} − {FIRST} is {_signed(found.value)} ± {found.margin:.4f} (95 % interval, paired by seed); "
    if found.seeds_that_tell is None:
        return f"{said}even {MOST_SEEDS} seeds would not tell a difference of this size."
    return f"{said}{found.seeds_that_tell} seeds would tell a difference of this size."


def _without_pairs(comparison: Comparison) -> str:
    first, second = comparison.first, comparison.second
    if comparison.left:
        return "There is no pair of trainings yet."
    if not first.scores and not second.scores:
        return f"Neither {FIRST} nor {SECOND} can be trained: every training failed."
    return f"With no seed both {FIRST} and {SECOND} could be trained to the end."


def _failing(comparison: Comparison, which: str) -> str:
    other = SECOND if which == FIRST else FIRST
    failed = {label: len(one.failed) for label, one in zip(LABELS, comparison.both, strict=True)}
    return (
        f"{which} fails with {failed[which]} of {words.count(len(comparison.seeds), 'seed')}, {other} with "
        f"{failed[other] or 'none'}: {other} is better."
    )


def further(comparison: Comparison) -> list[str]:
    """What else there is to know, in sentences."""
    said = []
    for label, one in zip(LABELS, comparison.both, strict=True):
        if one.failed:
            first = words.one_line(next(iter(one.failed.values())), 200)
            said.append(
                f"{label} failed with {len(one.failed)} of {words.count(len(comparison.seeds), 'seed')}, which the "
                f"difference leaves out; the first time: {first}."
            )
    ratio = comparison.ratio
    if ratio is not None:
        seconds = [fmean(one.seconds.values()) for one in comparison.both]
        interval = "" if ratio.low is None else f" (95 % interval {ratio.low:.2f} to {ratio.high:.2f})"
        said.append(
            f"A training of {SECOND} takes {ratio.value:.2f} times as long as one of {FIRST}{interval}: "
            f"{_seconds(seconds[1])} and {_seconds(seconds[0])} on average."
        )
    if comparison.paired:
        said.append(
            "A score is the best validation score of a training. A seed gives both the same initial weights and the "
            "same order of images, as far as their recipes ask for the same. The interval is over seeds: the "
            "validation images are taken as they are, and the test split was not opened."
        )
    if comparison.left:
        said.append(f"{words.count(comparison.left, 'training')} to go: the same command goes on.")
    return said


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else words.clock(seconds)


def more_seeds(comparison: Comparison) -> int | None:
    """With how many the difference would be told, where it is not yet and a number is known."""
    found = comparison.difference
    if found is None or comparison.left or comparison.better is not None:
        return None
    return found.seeds_that_tell


def _table(comparison: Comparison) -> Table:
    """A line a seed, then the means."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    heads = ("seed", *LABELS, f"{SECOND} − {FIRST}", *(f"seconds {label}" for label in LABELS))
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    both = comparison.both
    for seed in comparison.seeds:
        paired = seed in comparison.paired
        change = comparison.second.scores[seed] - comparison.first.scores[seed] if paired else None
        scores = [
            "FAIL"
            if seed in one.failed
            else words.NONE
            if seed not in one.scores
            else f"{one.scores[seed]:.4f}"
            for one in both
        ]
        seconds = [f"{one.seconds[seed]:.1f}" if seed in one.seconds else words.NONE for one in both]
        table.add_row(
            str(seed),
            *(Text(s, style="red" if s == "FAIL" else "") for s in scores),
            _signed(change),
            *seconds,
        )
    seeds = comparison.paired
    if len(seeds) > 1:
        means = [f"{fmean(one.scores[seed] for seed in seeds):.4f}" for one in both]
        found = comparison.difference
        times = [f"{fmean(one.seconds[seed] for seed in seeds):.1f}" for one in both]
        table.add_row("mean", *means, _signed(found.value if found else None), *times, style="bold")
    return table


def _signed(value: float | None) -> str:
    """With its sign; a zero from below is zero."""
    return words.NONE if value is None else f"{round(value, 4) + 0.0:+.4f}"
