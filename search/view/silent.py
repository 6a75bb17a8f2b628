"""The null view: a study run from Python says nothing unless it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial

from search.answer.race import Race
from search.result import StudyResult
from search.spec import StudySpec
from trainables.protocol import EpochRecord


class Silent:
    """Shows nothing."""

    def on_phase(self, text: str) -> None:
        """Nothing."""

    def on_progress(self, done: int, total: int) -> None:
        """Nothing."""

    def on_study(self, spec: StudySpec, trials: Sequence[FrozenTrial], workers: int) -> None:
        """Nothing."""

    def on_start(self, phase: str, trial: FrozenTrial, resumed_at: int) -> None:
        """Nothing."""

    def on_record(self, phase: str, number: int, record: EpochRecord) -> None:
        """Nothing."""

    def on_pause(self, phase: str, number: int) -> None:
        """Nothing."""

    def on_fault(self, phase: str, number: int, reason: str) -> None:
        """Nothing."""

    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """Nothing."""

    def on_race(self, race: Race, trainings: int) -> None:
        """Nothing."""

    def on_changes(self, changes: int, trainings: int) -> None:
        """Nothing."""

    def on_comparison(
        self, specs: Mapping[str, StudySpec], trainings: Sequence[FrozenTrial], workers: int
    ) -> None:
        """Nothing."""

    def on_note(self, text: str) -> None:
        """Nothing."""

    def on_trouble(self, text: str) -> None:
        """Nothing."""

    def on_result(self, result: StudyResult) -> None:
        """Nothing."""
