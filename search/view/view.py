"""The interface of everything that shows a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from optuna.trial import FrozenTrial

from search.answer.race import Race
from search.result import StudyResult
from search.spec import StudySpec
from trainables.protocol import EpochRecord


class View(Protocol):
    """Told what happens, in the order in which it happens. Must never raise and never wait."""

    def on_phase(self, text: str) -> None:
        """What the driver is busy with; empty when trials run."""

    def on_progress(self, done: int, total: int) -> None:
        """How far the phase has come: images decoded, or weights made."""

    def on_study(self, spec: StudySpec, trials: Sequence[FrozenTrial], workers: int) -> None:
        """The study begins, or goes on with the trials that it has."""

    def on_start(self, phase: str, trial: FrozenTrial, resumed_at: int) -> None:
        """A trial begins, or goes on after `resumed_at` epochs."""

    def on_record(self, phase: str, number: int, record: EpochRecord) -> None:
        """An epoch is done."""

    def on_pause(self, phase: str, number: int) -> None:
        """A trial gives its worker back, to go on later or never."""

    def on_fault(self, phase: str, number: int, reason: str) -> None:
        """A trial broke off and will be tried again."""

    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """A trial has its final state."""

    def on_race(self, race: Race, trainings: int) -> None:
        """The search is over, and so far has the race among its finalists come.

        `trainings` is what the confirmation takes in all, as far as is decided.
        """

    def on_changes(self, changes: int, trainings: int) -> None:
        """The winner is trained again with so many changes, one at a time, in so many trainings."""

    def on_comparison(
        self, specs: Mapping[str, StudySpec], trainings: Sequence[FrozenTrial], workers: int
    ) -> None:
        """Two recipes are compared: what each is called → what a study of it would be, and all their trainings."""

    def on_note(self, text: str) -> None:
        """Something that the user should know, as it should be."""

    def on_trouble(self, text: str) -> None:
        """Something went wrong that does not stop the study."""

    def on_result(self, result: StudyResult) -> None:
        """The study is over."""
