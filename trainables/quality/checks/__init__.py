"""Kinds of findings, one a file, in the order in which they are looked for."""

from collections.abc import Callable, Iterable

from trainables.quality.checks.balance import balance
from trainables.quality.checks.broken import broken
from trainables.quality.checks.channels import channels
from trainables.quality.checks.classes import classes
from trainables.quality.checks.copies import copies
from trainables.quality.checks.kinds import kinds
from trainables.quality.checks.labels import labels
from trainables.quality.checks.leakage import leakage
from trainables.quality.checks.outliers import outliers
from trainables.quality.checks.sizes import sizes
from trainables.quality.finding import Finding, Skipped
from trainables.quality.subject import Subject

Check = Callable[[Subject], Iterable[Finding | Skipped]]

CHECKS: tuple[Check, ...] = (
    broken, classes, balance, copies, leakage, kinds, channels, sizes, outliers, labels,
)  # fmt: skip
"""To add one, write a function and name it here."""
