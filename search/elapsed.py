"""How long a search has taken, over all its drivers, by what its records say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from optuna.trial import FrozenTrial

from search.ledger import records_of, time_of

STARTING = 60.0
"""Seconds that a driver may take to start; no gap that is longer by more than an epoch is counted."""


def elapsed(trials: Sequence[FrozenTrial]) -> dict[tuple[int, int], float]:
    """Trial and epoch → seconds that the search had taken when they were recorded.

    Counted is the time between records, but for the gaps in which no driver was there: those longer than any epoch
    took, and a minute for starting. Where a trainable does not say what its epochs took (``epoch_seconds``), the
    median time between two records of a trial stands for it.
    """
    records = [
        (time_of(trial, record.epoch) / 1000, trial.number, record)
        for trial in trials
        for record in records_of(trial)
    ]
    if not records:
        return {}
    longest = max(record.metrics.get("epoch_seconds", 0.0) for *_, record in records) or _usual(records)
    ordered = sorted((moment, number, record.epoch) for moment, number, record in records)
    found = {ordered[0][1:]: longest}
    total = longest
    for (before, *_), (moment, number, epoch) in pairwise(ordered):
        total += moment - before if moment - before <= longest + STARTING else 0.0
        found[number, epoch] = total
    return found


def _usual(records: Sequence[tuple[float, int, object]]) -> float:
    """The median time between two records of a trial, in seconds."""
    last: dict[int, float] = {}
    steps = []
    for moment, number, _ in records:
        if number in last:
            steps.append(moment - last[number])
        last[number] = moment
    return median(steps) if steps else 0.0
