"""A study: from its spec to its answer, and on from wherever it stood."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search import register
from search.account import session
from search.answer.confirmation import Confirmation
from search.checkpoints import CONFIRM, SEARCH, Checkpoints
from search.decisions.budget import Budget
from search.decisions.folds import FoldScheduler
from search.decisions.history import History
from search.decisions.listener import Listeners
from search.decisions.phase import Phase
from search.decisions.policy import Policy
from search.decisions.program import Program
from search.decisions.scheduler import NoScheduler
from search.elapsed import elapsed
from search.errors import StudyError
from search.ledger import Ledger, begun
from search.memory import named, remember
from search.policies import make_parts
from search.quiet import hushed_optuna
from search.recording import Recording
from search.result import StudyResult, result_of
from search.searchers.uniform import Uniform
from search.spec import OWN_CORE, StudySpec, load_spec
from search.store.databases import prepare
from search.store.layout import Store
from search.store.lock import StudyLock
from search.store.patience import Patience
from search.view.silent import Silent
from search.view.view import View
from spaces import InputError, SearchSpace
from trainables.config import Fixed
from trainables.data.naming import find_dataset
from trainables.seeds import derive_seed

if TYPE_CHECKING:
    from search.execution.cluster import Cluster
    from search.execution.resources import Resources
    from search.preparation import Prepared
    from trainables.material import Material


AWAY = 900.0
"""Seconds for which a ledger that is away is waited for."""


@dataclass(frozen=True)
class Study:
    """A study that can be run, continued and inspected.

    Args:
        spec: What it is.
        store: Where it is kept.
    """

    spec: StudySpec
    store: Store

    @classmethod
    def load(cls, name_or_path: str, *, store: Store | None = None, **overrides: Any) -> Study:
        """A built-in study (``digits``) or one from a YAML file, with changes.

        Args:
            name_or_path: The study's name or file.
            store: Where it is kept; ``mlruns`` in the working folder if not given.
            **overrides: Settings of the spec, or parameters of its space to narrow.

        Raises:
            InputError: The spec is wrong; one sentence says where.
        """
        return cls(load_spec(name_or_path, overrides), store or Store.default())

    def run(self, view: View | None = None) -> StudyResult:
        """Run the study, or go on where it was interrupted, to its end.

        Args:
            view: Who shows what happens; nobody if not given.

        Raises:
            InputError: Something about the spec, data, model or space is wrong; no trial has started.
            StudyError: The study is being run by another process, or none of its trials succeeded.
            KeyboardInterrupt: Stopped by the user; the same call goes on.
        """
        space = self.spec.search_space()
        named(self.spec, space, self.store)  # a mistyped name is answered before anything heavy begins
        with register.alone(self.store, self.spec.name) as lock, hushed_optuna():
            result = self._run(space, view if view is not None else Silent(), lock)
        failed = [trial for trial in result.trials if trial.state == "FAIL"]
        if failed and not any(trial.state == "COMPLETE" for trial in result.trials):
            raise StudyError(
                f"no trial of {self.spec.name!r} is COMPLETE; {len(failed)} of {len(result.trials)} failed, "
                f"the first because: {failed[0].reason}"
            )
        return result

    def _run(self, space: SearchSpace, view: View, lock: StudyLock) -> StudyResult:
        from search.execution.clusters import cluster_of
        from search.execution.resources import find_resources
        from search.execution.sharing import most_workers, share_cards
        from search.preparation import check_processes, evaluator, prepare_study
        from trainables.models.backbone import weights_fingerprint

        began = time.time()
        spec = self.spec
        find_dataset(spec.data)  # the commonest slip is answered before anything heavy begins
        early = register.refuse_another(self.store, spec, space)
        view.on_phase("preparing data")
        with cluster_of(spec) as cluster:
            gpus = 0 if spec.device == "cpu" else cluster.gpus
            together = 1 if spec.together == "auto" else spec.together
            resources = find_resources(
                spec.workers, spec.cores, spec.gpus_per_trial, gpus, together, cluster.cores, spec.processes
            )
            cluster.start(resources, most_workers(resources, spec, gpus), early=early)
            prepared = prepare_study(spec, space, view.on_progress, view.on_phase)
            for remark in (*prepared.dataset.remarks, *_advice(spec, prepared)):
                view.on_note(remark)
            prepare(self.store)
            patience = Patience(AWAY, view.on_trouble, lock.check)
            ledger = register.open_ledger(self.store, spec, space, spec.name, patience)
            register.enter(ledger, spec)
            self._checkpoints.mark(register.uid_of(ledger))
            register.hold_data(ledger, spec, prepared.dataset.fingerprint())
            if isinstance(spec.pretrained, str):
                register.hold_weights(ledger, spec, weights_fingerprint(prepared.material.weights))
            fixed = self._settled(ledger, prepared.material, cluster)
            check_processes(spec, space, fixed, prepared.material)
            resources = share_cards(resources, spec, space, fixed, prepared.material, cluster)
            confirm = register.open_ledger(
                self.store, spec, space, register.confirm_name(spec.name), patience
            )
            confirmation = self._confirmation(ledger, confirm, resources.workers)
            ledgers = [ledger, confirmation.ledger]
            checkpoints = self._checkpoints
            with Recording(
                self.store, spec, space, fixed, ledgers, view, prepared.dataset.origin
            ) as recording:
                with session(ledger, resources.workers, began):
                    view.on_study(spec, begun(ledger.trials()), resources.workers)
                    program = self._program(confirmation, ledger, prepared.grace, recording, resources)
                    if not program.is_done:
                        from search.execution.keeper import reach
                        from search.execution.seat import Shared
                        from search.execution.tuner import execute

                        cluster.ready()
                        view.on_phase("")
                        silence = None if spec.silence == "auto" else spec.silence
                        with reach(checkpoints.root, may_grow=cluster.may_grow) as way:
                            shared = Shared(
                                spec.trainable,
                                fixed,
                                prepared.material,
                                spec.threads,
                                spec.processes,
                                spec.sharded,
                                way,
                            )
                            execute(
                                program,
                                shared,
                                resources,
                                checkpoints.place,
                                register.uid_of(ledger),
                                silence,
                                patience,
                            )
                    for phase, one in zip((SEARCH, CONFIRM), ledgers, strict=True):
                        for trial in one.trials():  # of those too that ended as an earlier driver died
                            checkpoints.tidy(phase, trial)
                    evaluate = evaluator(
                        spec,
                        prepared,
                        fixed,
                        lambda number: checkpoints.place(CONFIRM, number),
                        cluster.compute,
                    )
                    answer = confirmation.answer(evaluate) if spec.finalists else None
                    if answer is not None:
                        checkpoints.keep({one.number for one in answer.finalists}, ledger.trials())
                    recording.flush()
                result = result_of(spec, ledger, confirmation.ledger, answer, checkpoints, recording.run_id)
                recording.conclude(result)
        view.on_result(result)
        return result

    def confirm(
        self, view: View | None = None, *, finalists: int | None = None, seeds: int | None = None
    ) -> StudyResult:
        """Confirm a search that is over: with more finalists or more seeds than before, or at all.

        What is trained already counts, and the search itself stays as it is.

        Args:
            view: As for `run`.
            finalists: How many of the best race, from 1; if not given as many as the study has, or three if none.
            seeds: The study's ``finalist_seeds``, from 1; if not given as many as it has.

        Raises:
            InputError: The search is not over; and what `run` raises.
        """
        for number in (finalists, seeds):
            if number is not None and number < 1:
                raise InputError(f"finalists and seeds must be 1 or more, but one is {number}")
        default = StudySpec.model_fields["finalists"].default
        update = {
            "finalists": finalists or self.spec.finalists or default,
            "finalist_seeds": seeds or self.spec.finalist_seeds,
        }
        ledger = Ledger(register.find_study(self.store, self.spec.name), self.spec.search_space())
        if not register.is_searched(ledger, self.spec):
            raise InputError(
                f"to be confirmed a search must be over, but that of study {self.spec.name!r} is not; "
                "`finetune-search run` goes on with it"
            )
        return Study(self.spec.model_copy(update=update), self.store).run(view)

    def result(self) -> StudyResult:
        """The study as it stands, without running anything.

        Raises:
            InputError: There is no such study in the store.
        """
        ledger = Ledger(register.find_study(self.store, self.spec.name), self.spec.search_space())
        confirm = register.read_ledger(self.store, register.confirm_name(self.spec.name), ledger.space)
        answer = self._confirmation(ledger, confirm).answer(None) if self.spec.finalists else None
        return result_of(self.spec, ledger, confirm, answer, self._checkpoints)

    def _confirmation(self, ledger: Ledger, confirm: Ledger, workers: int = 1) -> Confirmation:
        spec, space = self.spec, ledger.space
        return Confirmation(
            ledger,
            confirm,
            baseline=space.baseline(),
            finalists=spec.finalists,
            seeds=spec.finalist_seeds,
            seed=spec.seed,
            workers=workers,
        )

    def _settled(self, ledger: Ledger, material: Material, cluster: Cluster) -> Fixed:
        """The study's constants with every ``auto`` decided, once and for all of its life."""
        fixed = register.settled_once(ledger, self.spec.fixed())
        if fixed is None:
            from trainables.material import settle

            fixed = cluster.compute(settle, self.spec.fixed(), material, self.spec.threads)
            register.write_settled(ledger, fixed)
        else:
            from trainables.precision import pick_device

            cluster.compute(pick_device, fixed.device)  # a study begun on a GPU goes on on one
        if self.spec.processes > 1 and self.spec.compile == "auto":
            # It may have been settled for trials of one process.
            fixed = fixed.model_copy(update={"compile": False})
        return fixed

    def _program(
        self,
        confirmation: Confirmation,
        ledger: Ledger,
        grace: int,
        recording: Recording,
        resources: Resources,
    ) -> Program:
        """Search and confirmation, standing where the ledger says."""
        spec, space = self.spec, ledger.space
        listeners = Listeners(recording, self._checkpoints)
        began = time.monotonic() - max(elapsed(ledger.trials()).values(), default=0.0)

        def seed_of(phase: str) -> Callable[[int], int]:
            return lambda number: derive_seed(spec.seed, phase, number) % 2**31

        search = Phase(
            SEARCH,
            ledger,
            self.policy(space, grace, self._budget(ledger, resources), remember(ledger, spec, self.store)),
            max_epochs=spec.budget,
            seed_of=seed_of("trial"),
            listener=listeners,
            clock=lambda: time.monotonic() - began,
        )
        if not spec.finalists:
            return Program(search, None, lambda: register.write_searched(ledger, spec))
        confirm = Phase(
            CONFIRM,
            confirmation.ledger,
            Policy(
                self._history(space), Uniform(spec.seed), NoScheduler(), Budget(confirmation.enter_baseline())
            ),
            max_epochs=spec.budget,
            seed_of=seed_of(CONFIRM),
            listener=listeners,
        )

        def go_on() -> None:
            if not register.is_searched(ledger, spec):
                register.write_searched(ledger, spec)
            race, trainings, expected = confirmation.go_on()
            confirm.extend(trainings)
            recording.on_race(race, expected)

        return Program(search, confirm, go_on)

    def _budget(self, ledger: Ledger, resources: Resources) -> Budget:
        """What the search may spend; nothing new where it has ended by the same limits before.

        Raises:
            InputError: GPU-hours limit a study that uses no GPU.
        """
        spec, seconds = self.spec, self.spec.time
        if register.is_searched(ledger, spec):
            return Budget(trials=0)
        if spec.gpu_hours is not None:
            gpus = resources.workers * resources.gpus_per_trial
            if not gpus:
                raise InputError("`gpu_hours` needs a GPU, but this study uses none; limit its `time`")
            seconds = min(seconds or math.inf, 3600 * spec.gpu_hours / gpus)
        return Budget(spec.most_trials, spec.budget_epochs, seconds, spec.enough, resources.workers)

    def policy(
        self,
        space: SearchSpace,
        grace: int,
        budget: Budget | None = None,
        memory: Sequence[History] = (),
    ) -> Policy:
        """Who decides in this study, without anything seen yet.

        Args:
            space: Its space.
            grace: Its first rung, epochs.
            budget: What it may spend; without one, no limit.
            memory: What earlier studies saw.
        """
        spec = self.spec
        searcher, scheduler = make_parts(
            spec.searcher,
            spec.scheduler,
            spec.epochs,
            seed=derive_seed(spec.seed, "decisions"),
            grace=grace,
            eta=spec.eta,
            finish=max(1, spec.finalists),
            memory=memory,
        )
        if spec.trainings > 1 and spec.scheduler != "none":
            scheduler = FoldScheduler(scheduler, spec.epochs, spec.trainings)
        return Policy(self._history(space), searcher, scheduler, budget)

    @property
    def _checkpoints(self) -> Checkpoints:
        return Checkpoints(self.store, self.spec.name)

    def _history(self, space: SearchSpace) -> History:
        spec = self.spec
        return History(
            space,
            spec.budget,
            spec.epochs if spec.trainings > 1 else None,
            timed=spec.time is not None or spec.gpu_hours is not None,
        )


def _advice(spec: StudySpec, prepared: Prepared) -> tuple[str, ...]:
    """What a first study on pictures is better without."""
    if spec.model != "glyphs" or prepared.dataset.origin is None or spec.trainable != OWN_CORE:
        return ()
    return (
        "model glyphs has only seen characters, 32 pixels wide; for photographs name a pretrained network "
        "(--model resnet18 fetches its weights once)",
    )
