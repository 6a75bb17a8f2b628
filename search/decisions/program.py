"""A study's phases in their order, as one stream of trials that keeps every worker busy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from search.decisions.phase import Phase
from search.decisions.scheduler import Decision
from search.ledger import Assignment
from trainables.diagnosis.diagnosis import Diagnosis
from trainables.protocol import EpochRecord


@dataclass(frozen=True)
class Job:
    """An assignment.

    Args:
        phase: The phase that it belongs to.
        assignment: The trial.
        waits: The epochs after which the trial must wait for what is decided; after any other it goes on.
    """

    phase: str
    assignment: Assignment
    waits: Sequence[int]


class Phases(ABC):
    """Phases as one stream of trials, whatever their order.

    Args:
        phases: Which.
    """

    def __init__(self, phases: Sequence[Phase]) -> None:
        self._phases = {phase.name: phase for phase in phases}

    @property
    @abstractmethod
    def is_done(self) -> bool:
        """Every phase is done."""

    @abstractmethod
    def next(self) -> Job | None:
        """The next trial to run; none if there is none now (there may be one later, see `is_done`)."""

    def on_record(self, phase: str, number: int, record: EpochRecord) -> Decision:
        """To the trial's phase."""
        return self._phases[phase].on_record(number, record)

    def on_failure(
        self,
        phase: str,
        number: int,
        reason: str,
        *,
        diverged: bool = False,
        again: bool = False,
        lost: Mapping[str, float] | None = None,
        cause: Diagnosis | None = None,
    ) -> None:
        """To the trial's phase."""
        self._phases[phase].on_failure(number, reason, diverged=diverged, again=again, lost=lost, cause=cause)


class Program(Phases):
    """First the search, then what follows from it: its confirmation, say.

    What follows has lists that grow. The baseline is needed whatever the search finds, so its trainings fill the
    workers that the last trials of the search leave idle; the finalists follow once the search is over, and then what
    their trainings leave open.

    Args:
        search: The search.
        others: What follows, in order.
        go_on: Called when the search is over, and whenever a training of what follows has ended since: enters what is
            to be trained next.
    """

    def __init__(
        self, search: Phase, others: Sequence[Phase] = (), go_on: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__((search, *others))
        self._search = search
        self._others = others
        self._go_on = go_on
        self._searched = False
        self._seen = -1

    @property
    def is_done(self) -> bool:
        """Every phase is done."""
        self._advance()
        return self._searched and all(phase.is_done for phase in self._others)

    def _advance(self) -> None:
        self._searched = self._searched or self._search.is_done
        ended = sum(phase.ended for phase in self._others)
        if self._searched and ended != self._seen:
            self._seen = ended
            self._go_on()

    def next(self) -> Job | None:
        """See `Phases.next`."""
        self._advance()
        # A search that is over is asked no more: what follows it takes its time, by which it must not begin again.
        for phase in self._others if self._searched else (self._search, *self._others):
            assignment = phase.next()
            if assignment is not None:
                return Job(phase.name, assignment, phase.waits)
            self._advance()
        return None


class SideBySide(Phases):
    """Phases of equal rank that keep step: the one that is behind gives the next trial.

    Args:
        phases: Which.
    """

    def __init__(self, phases: Sequence[Phase]) -> None:
        super().__init__(phases)
        # What an earlier driver left RUNNING is given again.
        self._given = {
            phase.name: sum(trial.state.is_finished() for trial in phase.ledger.trials()) for phase in phases
        }

    @property
    def is_done(self) -> bool:
        """Every phase is done."""
        return all(phase.is_done for phase in self._phases.values())

    def next(self) -> Job | None:
        """See `Phases.next`."""
        for phase in sorted(self._phases.values(), key=lambda phase: self._given[phase.name]):
            assignment = phase.next()
            if assignment is not None:
                self._given[phase.name] += 1
                return Job(phase.name, assignment, phase.waits)
        return None
