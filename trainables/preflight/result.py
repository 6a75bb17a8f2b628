"""What a check says: its verdict, its evidence, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any


class Verdict(IntEnum):
    """How it went; higher is worse."""

    PASSED = 0
    SKIPPED = 1
    """It was not made; the reason is said."""
    WARNING = 2
    """Training will cost more or reach less than it could, or its figures will be less true than they look."""
    BLOCKER = 3
    """Training would be meaningless."""


@dataclass(frozen=True)
class Result:
    """One check's result.

    Args:
        check: Its name for programs, the same for ever.
        verdict: How it went.
        says: The evidence in one sentence, with its figures.
        remedy: What to do, in one sentence; empty where it passed.
        fault: What is wrong, by a name for programs (``frozen_head``); empty where it passed or was not made.
        figures: Further numbers for programs and plots, as plain data.
    """

    check: str
    verdict: Verdict
    says: str
    remedy: str = ""
    fault: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "verdict": self.verdict.name}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """The inverse of `to_dict`."""
        return cls(**{**data, "verdict": Verdict[data["verdict"]]})


def passed(check: str, says: str, **figures: Any) -> Result:
    """Nothing is wrong."""
    return Result(check, Verdict.PASSED, says, figures=figures)


def warning(check: str, fault: str, says: str, remedy: str, **figures: Any) -> Result:
    """Something is wrong that training survives."""
    return Result(check, Verdict.WARNING, says, remedy, fault, figures)


def blocker(check: str, fault: str, says: str, remedy: str, **figures: Any) -> Result:
    """Something is wrong that makes training meaningless."""
    return Result(check, Verdict.BLOCKER, says, remedy, fault, figures)


def skipped(check: str, why: str) -> Result:
    """Not looked at."""
    return Result(check, Verdict.SKIPPED, why)
