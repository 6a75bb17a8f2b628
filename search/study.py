"""A study: from its spec to its answer, and on from wherever it stood."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search import register
from search.account import session
from search.agenda import Agenda, Wanted
from search.answer.perturbation import check_parameters
from search.checkpoints import CONFIRM, PERTURB, SEARCH, Checkpoints
from search.decisions.listener import Listeners
from search.errors import StudyError
from search.hypotheses.log import conclude
from search.ledger import Ledger, begun
from search.memory import history_of, named
from search.quiet import hushed_optuna
from search.reading import load_spec
from search.recording import Recording
from search.result import StudyResult, result_of
from search.spec import OWN_CORE, StudySpec
from search.store.databases import prepare
from search.store.layout import Store
from search.store.lock import StudyLock
from search.store.patience import AWAY, Patience
from search.view.silent import Silent
from search.view.view import View
from spaces import InputError, SearchSpace
from trainables.data.naming import find_dataset

if TYPE_CHECKING:
    from search.insight.insight import Insight
    from search.inspection.inspection import Inspection
    from search.preflight.preflight import Preflight
    from search.preparation import Prepared
    from search.verdicts.verdict import Verdict


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

    def run(self, view: View | None = None, *, wanted: Wanted | None = None) -> StudyResult:
        """Run the study, or go on where it was interrupted, to its end.

        Args:
            view: Who shows what happens; nobody if not given.
            wanted: What about the winner is to be changed afterwards, see `perturb`.

        Raises:
            InputError: Something about the spec, data, model or space is wrong; no trial has started.
            StudyError: The study is being run by another process, or none of its trials succeeded.
            KeyboardInterrupt: Stopped by the user; the same call goes on.
        """
        space = self.spec.search_space()
        named(self.spec, space, self.store)  # a mistyped name is answered before anything heavy begins
        with register.alone(self.store, self.spec.name) as lock, hushed_optuna():
            result = self._run(space, view if view is not None else Silent(), lock, wanted)
        failed = [trial for trial in result.trials if trial.state == "FAIL"]
        if failed and not any(trial.state == "COMPLETE" for trial in result.trials):
            raise StudyError(
                f"no trial of {self.spec.name!r} is COMPLETE; {len(failed)} of {len(result.trials)} failed, "
                f"the first because: {failed[0].reason}"
            )
        return result

    def _run(self, space: SearchSpace, view: View, lock: StudyLock, wanted: Wanted | None) -> StudyResult:
        from search.engine import Kind, engine_for
        from search.preflight.before import artifacts, look_before
        from search.preparation import check_processes, evaluator, prepare_study
        from search.registry.winner import register_winner
        from search.report.gather import attached
        from trainables.models.backbone import weights_fingerprint

        began = time.time()
        spec = self.spec
        find_dataset(spec.data)  # the commonest slip is answered before anything heavy begins
        early = register.refuse_another(self.store, spec, space)
        view.on_phase("preparing data")
        with engine_for(spec, early=early) as engine:
            prepared = prepare_study(spec, space, view.on_progress, view.on_phase)
            for remark in (*prepared.dataset.remarks, *_advice(spec, prepared)):
                view.on_note(remark)
            spec = engine.take_cores(prepared.material, register.threads_in(self.store, spec.name))
            seen = look_before(self, space, prepared, engine, view)  # nothing of it is in the store so far
            prepare(self.store)
            patience = Patience(AWAY, view.on_trouble, lock.check)
            ledger = register.open_ledger(self.store, spec, space, spec.name, patience)
            register.enter(ledger, spec)
            self._checkpoints.mark(register.uid_of(ledger))
            register.hold_data(ledger, spec, prepared.dataset.fingerprint())
            if isinstance(spec.pretrained, str):
                register.hold_weights(ledger, spec, weights_fingerprint(prepared.material.weights))
            decided = None if seen is None else seen.fixed
            fixed = engine.settled(ledger, spec.fixed(), prepared.material, decided)
            check_processes(spec, space, fixed, prepared.material)
            kind = Kind(spec, fixed, prepared.material)
            engine.share((space, kind))
            engine.fit_memory(register.hold_memory(ledger, None if seen is None else seen.memory))
            resources = engine.resources
            names = {CONFIRM: register.confirm_name(spec.name), PERTURB: register.perturb_name(spec.name)}
            ledgers = {
                phase: register.open_ledger(self.store, spec, space, name, patience)
                if phase != PERTURB or wanted is not None
                else register.read_ledger(self.store, name, space)
                for phase, name in names.items()
            }
            agenda = Agenda(
                spec, self.store, {SEARCH: ledger, **ledgers}, workers=resources.workers, wanted=wanted
            )
            checkpoints = self._checkpoints
            with Recording(
                self.store, spec, space, fixed, agenda.ledgers, view, prepared.dataset.origin
            ) as recording:
                if seen is not None:
                    recording.attach(artifacts(seen))
                with session(ledger, resources.workers, began):
                    view.on_study(spec, begun(ledger.trials()), resources.workers)
                    budget = agenda.budget(resources)
                    if terms := budget.terms(spec.budget):
                        view.on_note(terms)
                    program = agenda.program(
                        prepared.grace, recording, Listeners(recording, checkpoints), budget
                    )
                    engine.train(program, kind, checkpoints, register.uid_of(ledger), view, patience)
                    for phase, one in agenda.ledgers.items():
                        for trial in one.trials():  # of those too that ended as an earlier driver died
                            checkpoints.tidy(phase, trial)
                    evaluate = evaluator(
                        spec,
                        prepared,
                        fixed,
                        lambda number: checkpoints.place(CONFIRM, number),
                        engine.compute,
                    )
                    answer = agenda.confirmation.answer(evaluate) if spec.finalists else None
                    if answer is not None:
                        checkpoints.keep({one.number for one in answer.finalists}, ledger.trials())
                    recording.flush()
                conclude(ledger, spec)
                result = result_of(
                    spec,
                    {SEARCH: ledger, **ledgers},
                    answer,
                    agenda.changes(answer),
                    checkpoints,
                    recording.run_id,
                )
                recording.conclude(result)
                recording.attach(attached(self, view.on_trouble))
        register_winner(self, result, recording.parent_id, view)
        view.on_result(result)
        return result

    def preflight(self, view: View | None = None) -> Preflight:
        """Look whether the study can work: data, network, recipe, learning rates, and what it will take.

        Nothing of it begins, and nothing is written.

        Args:
            view: Told what is being done; nobody if not given.

        Raises:
            InputError: Something about the spec, data, model or space is wrong.
        """
        from search.preflight.before import preflight

        return preflight(self, view if view is not None else Silent())

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
        self._must_be_searched("confirmed")
        return Study(self.spec.model_copy(update=update), self.store).run(view)

    def perturb(
        self, view: View | None = None, *, seeds: int | None = None, only: Sequence[str] = ()
    ) -> StudyResult:
        """Change one parameter of the winner at a time, up, down and off, and train each change again.

        Each is trained on the seeds that measured the winner, and compared seed by seed. What is trained already
        counts; the test split stays as it is.

        Args:
            view: As for `run`.
            seeds: With how many seeds, from 1; the study's ``finalist_seeds`` if not given.
            only: Parameters to change; all that can vary if none are given.

        Returns:
            The study, with `StudyResult.changes`.

        Raises:
            InputError: The search is not over, no trial of it is COMPLETE, or the winner has no such parameter; and
                what `run` raises.
        """
        if seeds is not None and seeds < 1:
            raise InputError(f"seeds must be 1 or more, but got {seeds}")
        self._must_be_searched("perturbed")
        try:
            winner = self.result().best.params
        except LookupError as error:
            raise InputError(str(error)) from None
        check_parameters(self.spec.search_space(), winner, only)
        return self.run(view, wanted=Wanted(seeds or self.spec.finalist_seeds, tuple(only)))

    def _must_be_searched(self, what: str) -> None:
        ledger = Ledger(register.find_study(self.store, self.spec.name), self.spec.search_space())
        if not register.is_searched(ledger, self.spec):
            raise InputError(
                f"to be {what} a search must be over, but that of study {self.spec.name!r} is not; "
                "`finetune-search run` goes on with it"
            )

    def result(self) -> StudyResult:
        """The study as it stands, without running anything.

        Raises:
            InputError: There is no such study in the store.
        """
        ledger = Ledger(register.find_study(self.store, self.spec.name), self.spec.search_space())
        names = {
            CONFIRM: register.confirm_name(self.spec.name),
            PERTURB: register.perturb_name(self.spec.name),
        }
        ledgers = {SEARCH: ledger} | {
            phase: register.read_ledger(self.store, name, ledger.space) for phase, name in names.items()
        }
        agenda = Agenda(self.spec, self.store, ledgers)
        answer = agenda.confirmation.answer(None) if self.spec.finalists else None
        return result_of(self.spec, ledgers, answer, agenda.changes(answer), self._checkpoints)

    def insight(self) -> Insight:
        """What the trials so far say: which parameters matter, and whether stopping early was safe.

        Raises:
            InputError: There is no such study in the store.
        """
        from search.insight.insight import insight_of

        space = self.spec.search_space()
        return insight_of(history_of(register.find_study(self.store, self.spec.name), space), self.spec.seed)

    def verdicts(self, insight: Insight | None = None) -> list[Verdict]:
        """What is to be said of the study, each with its evidence and what follows from it.

        Args:
            insight: What its trials say, where that is known already.

        Raises:
            InputError: There is no such study in the store.
        """
        from search.verdicts.all import verdicts_on
        from search.verdicts.gather import case_of

        return verdicts_on(case_of(self, insight or self.insight()))

    def inspection(self) -> Inspection | None:
        """What `inspect` found of the winner's network, if it was called since it is the winner.

        Raises:
            InputError: There is no such study in the store.
        """
        from search.inspection.inspect import inspection_of
        from search.view.leaderboard import winner_of

        winner = winner_of(self.result())
        return inspection_of(self, None if winner is None else winner.number)

    def inspect(self, *, images: int | None = None, flat: bool = False) -> Inspection:
        """Look closely at the winner's network: on spoilt images, at its surest mistakes, at its probabilities.

        On validation images: the test split stays as it is.

        Args:
            images: Validation images that are spoilt, at most; 200 if not given.
            flat: Whether the flatness of the loss is measured too.

        Raises:
            InputError: There is no winner, its weights are gone, or the data has changed.
            StudyError: The study is being run by another process.
        """
        from search.inspection.inspect import IMAGES, inspect

        return inspect(self, images=IMAGES if images is None else images, flat=flat)

    @property
    def _checkpoints(self) -> Checkpoints:
        return Checkpoints(self.store, self.spec.name)


def _advice(spec: StudySpec, prepared: Prepared) -> tuple[str, ...]:
    """What a first study on pictures is better without."""
    if spec.model != "glyphs" or prepared.dataset.origin is None or spec.trainable != OWN_CORE:
        return ()
    return (
        "model glyphs has only seen characters, 32 pixels wide; for photographs name a pretrained network "
        "(--model resnet18 fetches its weights once)",
    )
