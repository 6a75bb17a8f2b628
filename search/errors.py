"""Errors with a sentence for the user that are not a matter of bad input (exit code 1)."""

from __future__ import annotations


class StudyError(RuntimeError):
    """A study cannot go on, for a reason that is not in what the user typed."""
