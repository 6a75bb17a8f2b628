"""Kinds of findings, one a file, in the order in which they are looked for."""

from collections.abc import Callable, Iterable

from trainables.quality.checks.balance import find_balance
from trainables.quality.checks.broken import find_broken
from trainables.quality.checks.channels import find_channels
from trainables.quality.checks.classes import find_classes
from trainables.quality.checks.copies import find_copies
from trainables.quality.checks.kinds import find_kinds
from trainables.quality.checks.labels import find_labels
from trainables.quality.checks.leakage import find_leakage
from trainables.quality.checks.outliers import find_outliers
from trainables.quality.checks.sizes import find_sizes
from trainables.quality.finding import Finding, Skipped
from trainables.quality.subject import Subject

Check = Callable[[Subject], Iterable[Finding | Skipped]]

CHECKS: tuple[Check, ...] = (
    find_broken, find_classes, find_balance, find_copies, find_leakage, find_kinds, find_channels, find_sizes,
    find_outliers, find_labels,
)  # fmt: skip
"""To add one, write a function and name it here."""
