"""All checks of a data set, and what they found, worst first."""

from __future__ import annotations

from trainables.quality.checks import CHECKS
from trainables.quality.finding import Finding, Skipped
from trainables.quality.report import Measures, Report
from trainables.quality.subject import Subject


def examine(subject: Subject) -> Report:
    """Look for everything that can be wrong with a data set.

    Args:
        subject: The data set; with features of a pretrained network there is more to find.
    """
    found = [result for check in CHECKS for result in check(subject)]
    findings = [result for result in found if isinstance(result, Finding)]
    skipped = [result for result in found if isinstance(result, Skipped)]
    return Report(
        name=subject.name,
        listing=subject.listing,
        readable=len(subject.readable),
        findings=tuple(
            sorted(findings, key=lambda finding: -finding.severity)
        ),  # stable: else in their order
        skipped=tuple((skip.kind, skip.reason) for skip in skipped),
        measures=Measures.of(subject.facts),
    )
