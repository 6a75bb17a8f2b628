"""What becomes of a trial after a record, and which paused one goes on."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Protocol

from search.decisions.budget import UNLIMITED, Left
from search.decisions.history import History


class Decision(Enum):
    """What becomes of a trial after one of its records."""

    CONTINUE = "continue"
    """Train the next epoch."""
    PAUSE = "pause"
    """Train no further for now. The trial keeps its checkpoint and is RUNNING in the ledger; see `resume`."""
    STOP = "stop"
    """Never train again: the trial is PRUNED (or COMPLETE, at its full budget)."""


class Scheduler(Protocol):
    """Decides record by record. The same records in the same order give the same decisions.

    After a restart the ledger's records are shown again (`on_record`; of the decisions only a trial's last
    counts), which puts a fresh scheduler where the old one stood. What a scheduler knows of paused trials it
    reads from the history (`Run.pauses`): a promotion leaves no other trace than the epochs that follow it.
    """

    @property
    def rungs(self) -> Collection[int]:
        """The epochs after which a trial may pause or stop; after any other it goes on, whatever it scores."""
        ...

    def on_record(self, history: History, number: int, epoch: int, score: float) -> Decision:
        """Judge a trial after a record.

        Args:
            history: All runs so far, this record included.
            number: Which trial.
            epoch: The record's, from 1.
            score: The trial's best so far; higher is better.
        """
        ...

    def resume(self, history: History, *, closing: bool, left: Left = UNLIMITED) -> int | None:
        """The paused trial that the next free worker shall go on with; none for a new one.

        Args:
            history: All runs so far.
            closing: No new trial will begin any more: what is worth finishing is finished now.
            left: What may still be trained.
        """
        ...

    def closes(self, history: History, left: Left) -> bool:
        """Whether all that is left is needed to finish what is worth finishing, so that nothing new may begin."""
        ...


class Stopping:
    """Schedulers that never pause have nothing to resume."""

    def resume(self, history: History, *, closing: bool, left: Left = UNLIMITED) -> int | None:
        """None."""
        return None

    def closes(self, history: History, left: Left) -> bool:
        """Once there is nothing left: trials that run go on to their end by themselves."""
        return left.together <= 0


class NoScheduler(Stopping):
    """Every trial runs its full budget."""

    rungs = ()

    def on_record(self, history: History, number: int, epoch: int, score: float) -> Decision:
        """Always go on."""
        return Decision.CONTINUE
