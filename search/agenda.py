"""What a driver has to do: the phases of a study, standing where the ledgers say."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search import register
from search.answer.answer import Answer
from search.answer.changes import Changes
from search.answer.confirmation import Confirmation
from search.answer.perturbation import Perturbation
from search.checkpoints import CONFIRM, PERTURB, SEARCH
from search.decisions.budget import Budget
from search.decisions.kept import NOTHING
from search.decisions.listener import Listener
from search.decisions.phase import Phase
from search.decisions.program import Program
from search.elapsed import elapsed
from search.ledger import Ledger, finished
from search.listed import listed, seeds_of
from search.memory import remember
from search.policies import policy_of
from search.recording import Recording
from search.spec import StudySpec
from search.store.layout import Store
from spaces import InputError, Params

if TYPE_CHECKING:
    from search.execution.resources import Resources

WANTED = "wanted"
"""The note in a perturbation's ledger of what was asked for."""


@dataclass(frozen=True)
class Wanted:
    """A perturbation that is asked for.

    Args:
        seeds: With how many seeds each change is trained.
        only: Parameters to change; all if empty.
    """

    seeds: int
    only: tuple[str, ...] = ()

    def noted(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"seeds": self.seeds, "only": list(self.only)}

    @classmethod
    def from_noted(cls, noted: dict[str, Any]) -> Wanted:
        """What `noted` gave."""
        return cls(noted["seeds"], tuple(noted["only"]))


class Agenda:
    """The search, its confirmation, and the perturbation of what won, where one was asked for.

    Args:
        spec: The study.
        store: Where it is kept.
        ledgers: Phase → its ledger: of the search, of the confirmation, and of the perturbation.
        workers: How many train at once.
        wanted: What is to be perturbed now; none for what was asked for before, which is read but not gone on with.
    """

    def __init__(
        self,
        spec: StudySpec,
        store: Store,
        ledgers: dict[str, Ledger],
        *,
        workers: int = 1,
        wanted: Wanted | None = None,
    ) -> None:
        self._spec, self._store, self._wanted = spec, store, wanted
        self._all = ledgers
        self._ledger = ledgers[SEARCH]
        self.confirmation = Confirmation(
            self._ledger,
            ledgers[CONFIRM],
            baseline=self._ledger.space.baseline(),
            finalists=spec.finalists,
            seeds=spec.finalist_seeds,
            seed=spec.seed,
            workers=workers,
        )
        if wanted is not None:
            ledgers[PERTURB].note(WANTED, wanted.noted())

    @property
    def ledgers(self) -> dict[str, Ledger]:
        """Of the phases that are run now."""
        run = {SEARCH: True, CONFIRM: self._spec.finalists > 0, PERTURB: self._wanted is not None}
        return {phase: ledger for phase, ledger in self._all.items() if run[phase]}

    def changes(self, answer: Answer | None) -> Changes | None:
        """What is known of the changes that were asked for, now or before; none where there was nothing."""
        winner = self._winner(answer)
        noted = self._all[PERTURB].noted(WANTED, None)
        if winner is None or noted is None:
            return None
        return self._perturbation(winner, Wanted.from_noted(noted)).changes()

    def budget(self, resources: Resources) -> Budget:
        """What the study may spend; nothing new where its search has ended by the same limits before.

        Args:
            resources: What trials have.

        Raises:
            InputError: GPU-hours limit a study that uses no GPU.
        """
        spec, seconds = self._spec, self._spec.time
        if register.is_searched(self._ledger, spec):
            return Budget(trials=0)
        if spec.gpu_hours is not None:
            gpus = resources.workers * resources.gpus_per_trial
            if not gpus:
                raise InputError("`gpu_hours` needs a GPU, but this study uses none; limit its `time`")
            seconds = min(seconds or math.inf, 3600 * spec.gpu_hours / gpus)
        kept = self.confirmation.kept(spec.budget) if spec.finalists else NOTHING
        return Budget(spec.most_trials, spec.budget_epochs, seconds, spec.enough, resources.workers, kept)

    def program(self, grace: int, recording: Recording, listener: Listener, budget: Budget) -> Program:
        """Everything that is to be done, as it stands.

        Args:
            grace: The search's first rung, epochs.
            recording: What is told of how far it has come.
            listener: Is told of every trial; `recording` among others.
            budget: What the study may spend.
        """
        spec, ledger = self._spec, self._ledger
        # Time that an earlier confirmation took is the study's too.
        trials = [*ledger.trials(), *self._all[CONFIRM].trials()]
        began = time.monotonic() - max(elapsed(trials).values(), default=0.0)
        search = Phase(
            SEARCH,
            ledger,
            policy_of(spec, ledger.space, grace, budget, remember(ledger, spec, self._store)),
            max_epochs=spec.budget,
            seed_of=seeds_of(spec, "trial"),
            listener=listener,
            clock=lambda: time.monotonic() - began,
        )
        others = {
            phase: listed(phase, other, spec, listener)
            for phase, other in self.ledgers.items()
            if phase != SEARCH
        }
        if CONFIRM in others:
            others[CONFIRM].extend(self.confirmation.enter_baseline())

        def go_on() -> None:
            if not register.is_searched(ledger, spec):
                register.write_searched(ledger, spec)
            if CONFIRM in others:
                race, trainings, expected = self.confirmation.go_on()
                others[CONFIRM].extend(trainings)
                recording.on_race(race, expected)
            if PERTURB in others:
                self._enter_changes(others[PERTURB], recording)

        return Program(search, list(others.values()), go_on)

    def _enter_changes(self, phase: Phase, recording: Recording) -> None:
        """Once it is known what is to be changed."""
        answer = self.confirmation.answer(None) if self._spec.finalists else None
        winner = self._winner(answer)
        if winner is None or (answer is not None and answer.left):
            return
        assert self._wanted is not None
        perturbation = self._perturbation(winner, self._wanted)
        trainings = perturbation.enter()
        phase.extend(trainings)
        recording.on_changes(perturbation.count, trainings)

    def _winner(self, answer: Answer | None) -> Params | None:
        """The recipe that won; none while that is open."""
        if answer is not None:
            return answer.winner.params
        complete = [] if self._spec.finalists else finished(self._ledger.trials())
        return dict(complete[0].params) if complete else None

    def _perturbation(self, winner: Params, wanted: Wanted) -> Perturbation:
        return Perturbation(
            self._all[PERTURB],
            self._all[CONFIRM],
            winner,
            seeds=wanted.seeds,
            seed=self._spec.seed,
            only=wanted.only,
        )
