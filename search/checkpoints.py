"""A study's checkpoints: where each lies, and which of them is still of use."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from functools import cached_property

from optuna.trial import FrozenTrial, TrialState

from search.addresses import without_secret
from search.decisions.listener import Listener
from search.errors import StudyError
from search.execution.names import BEST
from search.places import Place
from search.store.layout import Store

SEARCH, CONFIRM, PERTURB = "search", "confirm", "perturb"
"""The phases of a study."""
KEPT = (SEARCH, CONFIRM)
"""Those whose best weights stay: of what is only compared, scores are all that is asked for."""

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

    def place(self, phase: str, number: int) -> Place:
        """Of one trial."""
        return self.root.at(*_parts(phase, number))

    @cached_property
    def root(self) -> Place:
        """Of all of the study's trials."""
        return self._store.study_checkpoints(self._study)

    def mark(self, uid: str) -> None:
        """Write down whose they are: one place may serve studies of several ledgers.

        Args:
            uid: Of the study.

        Raises:
            StudyError: Nothing can be written there, or it is another study's of that name.
        """
        where = without_secret(self.root.address)
        try:
            before = self.root.get(LEDGER)
            # In the store's own folder it can only be an earlier one, which the ledger has forgotten.
            if (
                self._store.elsewhere is not None
                and before is not None
                and uid not in before.decode().split()
            ):
                raise StudyError(
                    f"{where} must be the place of this study alone, but another one of the same name keeps its "
                    "checkpoints there; choose another --name, or remove them"
                )
            self.root.put(LEDGER, f"{self._store.owner}\n{uid}\n".encode())
        except OSError as error:
            raise StudyError(
                f"checkpoints cannot be written to {where}: {error.strerror or error}"
            ) from error

    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """See `tidy`."""
        self.tidy(phase, trial)

    def tidy(self, phase: str, trial: FrozenTrial) -> None:
        """What nobody asks for any more goes: all but a COMPLETE trial's best weights; of what is compared, all."""
        place = self.place(phase, trial.number)
        with suppress(OSError):  # what cannot go takes room, and nothing else
            if trial.state is TrialState.COMPLETE and phase in KEPT:
                place.remove(*(name for name in place.files() if name != BEST))
            elif trial.state.is_finished():
                place.clear()

    def keep(self, finalists: Collection[int], trials: Iterable[FrozenTrial]) -> None:
        """Of the search's COMPLETE trials only finalists keep their weights."""
        for trial in trials:
            if trial.state is TrialState.COMPLETE and trial.number not in finalists:
                with suppress(OSError):
                    self.place(SEARCH, trial.number).clear()

    def weights(self, trial: FrozenTrial, trainings: Iterable[FrozenTrial]) -> str | None:
        """Path or URL of a trial's best weights, as they were when this was first asked; none where there are none.

        Args:
            trial: Of the search.
            trainings: Those that confirmed it. The best of them stands for one that became a finalist only later,
                when more of them were asked for: its own weights are gone.
        """
        others = [one for one in trainings if one.state is TrialState.COMPLETE]
        others.sort(key=lambda one: (-(one.value or 0.0), one.number))
        candidates = [_parts(SEARCH, trial.number), *(_parts(CONFIRM, one.number) for one in others[:1])]
        for parts in candidates:
            if "/".join([*parts, BEST]) in self._there:
                return "/".join([self.root.address, *parts, BEST])
        return None

    @cached_property
    def _there(self) -> Collection[str]:
        """Asked for once: a bucket may be far away."""
        try:
            return self.root.files()
        except OSError:
            return ()


def _parts(phase: str, number: int) -> list[str]:
    return [str(number)] if phase == SEARCH else [phase, str(number)]
