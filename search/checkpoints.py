"""A study's checkpoints on the disk: where each lies, and which of them is still of use."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from search.decisions.listener import Listener
from search.execution.names import BEST, LAST
from search.store.layout import Store

SEARCH, CONFIRM = "search", "confirm"
"""The phases of a study."""

LEDGER = "ledger"
"""The file beside a study's checkpoints that names the ledger which knows it."""


class Checkpoints(Listener):
    """Of a trial that lives, its last and its best; of one that has ended, what can still be asked for.

    As a listener it sees to that as soon as a trial ends, so that a long study fills no disk.

    Args:
        store: Where they are.
        study: The study's name.
    """

    def __init__(self, store: Store, study: str) -> None:
        self._store, self._study = store, study

    def folder(self, phase: str, number: int) -> Path:
        """Of one trial."""
        if phase == CONFIRM:
            return self._store.study_checkpoints(self._study) / CONFIRM / str(number)
        return self._store.checkpoints(self._study, number)

    def mark(self) -> None:
        """Write down whose they are: one folder may serve studies of several ledgers."""
        mark = self._store.study_checkpoints(self._study) / LEDGER
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(self._store.ledger_name)

    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """See `tidy`."""
        self.tidy(phase, trial)

    def tidy(self, phase: str, trial: FrozenTrial) -> None:
        """All but the best weights of a COMPLETE trial goes once the trial has ended."""
        folder = self.folder(phase, trial.number)
        if trial.state is TrialState.COMPLETE:
            for left in (folder / LAST, *folder.glob("*.tmp")):  # of a process that ended while it wrote
                with suppress(OSError):  # it takes room, and nothing else
                    left.unlink()
        elif trial.state.is_finished():
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, finalists: Collection[int], trials: Iterable[FrozenTrial]) -> None:
        """Of the search's COMPLETE trials only finalists keep their weights."""
        for trial in trials:
            if trial.state is TrialState.COMPLETE and trial.number not in finalists:
                shutil.rmtree(self.folder(SEARCH, trial.number), ignore_errors=True)

    def weights(self, trial: FrozenTrial, trainings: Iterable[FrozenTrial]) -> Path:
        """The file of a trial's best weights.

        Args:
            trial: Of the search.
            trainings: Those that confirmed it. The best of them stands for one that became a finalist only later,
                when more of them were asked for: its own weights are gone.
        """
        own = self.folder(SEARCH, trial.number) / BEST
        others = [one for one in trainings if one.state is TrialState.COMPLETE]
        if own.exists() or not others:
            return own
        best = max(others, key=lambda one: (one.value or 0.0, -one.number))
        return self.folder(CONFIRM, best.number) / BEST
