"""When to stop a trial early."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Decision(Enum):
    """What becomes of a trial after one of its records."""

    CONTINUE = "continue"
    """Train the next epoch."""
    STOP = "stop"
    """Never train again: the trial is PRUNED (or COMPLETE, at its full budget)."""


class Scheduler(Protocol):
    """Decides record by record. The same records in the same order give the same decisions.

    After a restart the ledger's records are shown again (`on_record`, decisions unused), which puts
    a fresh scheduler where the old one stood.
    """

    def on_record(self, number: int, epoch: int, score: float) -> Decision:
        """Judge trial `number` by its best `score` so far (higher is better) at `epoch`, from 1."""
        ...


class NoScheduler:
    """Every trial runs its full budget."""

    def on_record(self, number: int, epoch: int, score: float) -> Decision:
        """Always go on."""
        return Decision.CONTINUE
