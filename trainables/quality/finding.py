"""What a check has to say: how bad, how many, which images, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Severity(IntEnum):
    """How bad a finding is; higher is worse."""

    NOTICE = 1
    """Worth knowing; training is fine without a change."""
    WARNING = 2
    """Costs accuracy, or makes a figure less true than it looks."""
    BLOCKER = 3
    """Training on the data as they are would be meaningless."""


@dataclass(frozen=True)
class Mention:
    """One image that a finding is about.

    Args:
        row: Its row in the listing.
        note: What is so with this one (``labelled cat, looks like dog (0.93)``), or nothing.
    """

    row: int
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        kind: Its name for programs, the same for ever: ``near_duplicates``.
        severity: How bad.
        says: One sentence: what is so, with its figures.
        advice: One sentence: what to do.
        count: How many: images, groups of duplicates or classes, as `unit` says.
        unit: What is counted, in the singular: ``image``, ``group``, ``class``.
        groups: The images it is about, worst first: those of a group belong together (copies of one
            another), one image alone is a group of one. Empty where it is about none in particular.
        figures: Further numbers for programs, with plain values.
    """

    kind: str
    severity: Severity
    says: str
    advice: str
    count: int
    unit: str = "image"
    groups: tuple[tuple[Mention, ...], ...] = ()
    figures: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Skipped:
    """A check that was not made.

    Args:
        kind: Of the finding that it could have given.
        reason: Why, in one sentence.
    """

    kind: str
    reason: str


def one_each(
    rows: Iterable[int], note: Callable[[int], str] = lambda row: ""
) -> tuple[tuple[Mention, ...], ...]:
    """Images that a finding is about, each alone."""
    return tuple((Mention(int(row), note(int(row))),) for row in rows)


def share(count: int, of: int) -> str:
    """``3 of 1,200 images (0.2 %)``."""
    return f"{count:,} of {of:,} images ({100 * count / max(of, 1):.2g} %)"
