"""A study: from its spec to its answer, and on from wherever it stood."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from filelock import FileLock, Timeout
from optuna.trial import FrozenTrial, TrialState

from search.confirm import Confirmation
from search.decisions.phase import Phase
from search.decisions.program import Program
from search.decisions.scheduler import NoScheduler, Scheduler
from search.errors import StudyError
from search.ledger import Ledger, make_study
from search.recording import Recording
from search.result import StudyResult, summarise
from search.searchers.registry import make_sampler
from search.spec import CHANGEABLE, StudySpec, load_spec
from search.store.databases import open_storage, prepare
from search.store.layout import Store
from search.view.silent import Silent
from search.view.view import View
from spaces import InputError, SearchSpace
from trainables.config import Fixed
from trainables.seeds import derive_seed

if TYPE_CHECKING:
    from trainables.data import Dataset
    from trainables.material import Material

SEARCH, CONFIRM = "search", "confirm"
SPEC, SPACE, DIGEST, SETTLED = "spec", "space", "space_digest", "settled"


def confirm_name(study: str) -> str:
    """The ledger study of a confirmation; ``@`` is in no study's own name."""
    return f"{study}@{CONFIRM}"


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
            StudyError: The study is being run by another process, or most of its trials failed.
            KeyboardInterrupt: Stopped by the user; the same call goes on.
        """
        from search.execution.cluster import find_resources, local_cluster
        from search.execution.tuner import execute
        from search.execution.worker import Shared

        shown = view if view is not None else Silent()
        spec = self.spec
        space = spec.search_space()
        with self._alone(), hushed_optuna():
            shown.on_phase("preparing data and weights")
            dataset, material = self._material(shown.on_progress)
            grace = self._check(space, material)
            prepare(self.store)
            study = self._open(space)
            fixed = self._settled(study, material)
            resources = find_resources(spec.workers, spec.cpus_per_trial, spec.gpus_per_trial)
            ledger = Ledger(study, space)
            confirm_ledger = Ledger(self._ledger_study(confirm_name(spec.name)), space)
            confirmation = Confirmation(
                ledger,
                confirm_ledger,
                baseline=space.baseline(),
                finalists=spec.finalists,
                seeds=spec.finalist_seeds,
                seed=spec.seed,
            )
            with Recording(self.store, spec, space, fixed, [ledger, confirm_ledger], shown) as recording:
                shown.on_study(spec, self._known_trials(ledger), resources.workers)
                program = self._program(ledger, confirmation, grace, space, recording)
                if not program.is_done:
                    shown.on_phase("starting workers")
                    shared = Shared(spec.trainable, fixed, material, resources.cpus_per_trial)
                    with local_cluster(resources):
                        shown.on_phase("")
                        execute(program, shared, resources, self._folder)
                self._tidy(ledger, confirm_ledger)
                evaluate = self._evaluator(dataset, material, fixed)
                answer = confirmation.answer(evaluate) if spec.finalists else None
                result = self._result(space, ledger, answer, recording)
                recording.conclude(result)
            shown.on_result(result)
            self._judge(result)
        return result

    def result(self) -> StudyResult:
        """The study as it stands, without running anything.

        Raises:
            InputError: There is no such study in the store.
        """
        space = self.spec.search_space()
        ledger, confirm_ledger = (
            Ledger(find_study(self.store, name), space)
            for name in (self.spec.name, confirm_name(self.spec.name))
        )
        confirmation = Confirmation(
            ledger,
            confirm_ledger,
            baseline=space.baseline(),
            finalists=self.spec.finalists,
            seeds=self.spec.finalist_seeds,
            seed=self.spec.seed,
        )
        answer = confirmation.answer(None) if self.spec.finalists else None
        return self._result(space, ledger, answer, None)

    # -- before the first trial ---------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One driver a study: the lock of a process that died is free again by itself."""
        lock_file = self.store.study_lock(self.spec.name)
        try:
            lock_file.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(lock_file, timeout=0)
            lock.acquire()
        except Timeout:
            raise StudyError(
                f"study {self.spec.name!r} is being run by another process (lock {lock_file}); "
                "wait for it, or choose another --name"
            ) from None
        except OSError as error:
            raise InputError(f"the store must be writable, but {self.store.root}: {error.strerror}") from None
        try:
            yield
        finally:
            lock.release()

    def _material(self, progress: Callable[[int, int], None]) -> tuple[Dataset, Material]:
        from trainables.data import load_dataset
        from trainables.material import prepare as prepare_material

        dataset = load_dataset(self.spec.data, self.spec.split_seed)
        return dataset, prepare_material(dataset, self.spec.fixed(), progress)

    def _check(self, space: SearchSpace, material: Material) -> int:
        """Refuse now what would make trials fail later. Returns the grace period, epochs."""
        if self.spec.trainable != StudySpec.model_fields["trainable"].default:
            return 1 if self.spec.grace == "auto" else self.spec.grace
        from search.feasibility import check_space, grace_epochs

        check_space(space, self.spec.fixed(), material)
        needed = grace_epochs(space, self.spec.fixed(), material)
        return needed if self.spec.grace == "auto" else self.spec.grace

    def _ledger_study(self, name: str) -> optuna.Study:
        storage = open_storage(self.store)
        past = sum(
            summary.n_trials
            for summary in optuna.get_all_study_summaries(storage)
            if summary.study_name == name
        )
        # Another seed after each restart: the same one would propose the same recipes again.
        sampler = make_sampler(self.spec.searcher, derive_seed(self.spec.seed, "sampler", past))
        return make_study(storage, name, sampler)

    def _open(self, space: SearchSpace) -> optuna.Study:
        """The ledger's study, its spec and space written down; refused if it was another study's name."""
        study = self._ledger_study(self.spec.name)
        written = study.user_attrs
        if SPEC in written:
            self._same(written, space)
        study.set_user_attr(SPACE, space.to_dict())
        study.set_user_attr(DIGEST, space.digest())
        study.set_user_attr(SPEC, json.loads(self.spec.model_dump_json()))
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(space.baseline())
        return study

    def _same(self, written: Mapping[str, Any], space: SearchSpace) -> None:
        name = self.spec.name
        if written[DIGEST] != space.digest():
            raise InputError(
                f"study {name!r} exists with another space; continue it with the same space, "
                "or choose another --name"
            )
        now = json.loads(self.spec.model_dump_json())
        for key, value in now.items():
            if key in CHANGEABLE or key in {"space", "narrow"} or key not in written[SPEC]:
                continue
            if written[SPEC][key] != value:
                raise InputError(
                    f"study {name!r} exists with {key}={written[SPEC][key]!r}, but now {key}={value!r}; "
                    "continue it as it was, or choose another --name"
                )

    def _settled(self, study: optuna.Study, material: Material) -> Fixed:
        """Every ``auto`` decided once a study: a trial resumed tomorrow must run in the same arithmetic."""
        if SETTLED in study.user_attrs:
            return self.spec.fixed().model_copy(update=study.user_attrs[SETTLED])
        from trainables.material import settle

        fixed = settle(self.spec.fixed(), material)
        study.set_user_attr(SETTLED, {"device": fixed.device, "precision": fixed.precision})
        return fixed

    # -- the trials ---------------------------------------------------------------------------------

    def _program(
        self, ledger: Ledger, confirmation: Confirmation, grace: int, space: SearchSpace, recording: Recording
    ) -> Program:
        spec = self.spec
        deadline = None if spec.time is None else time.monotonic() + spec.time
        search = Phase(
            SEARCH,
            ledger,
            self._scheduler(grace),
            max_epochs=spec.epochs,
            target=spec.trials,
            seed_of=lambda number: derive_seed(spec.seed, "trial", number) % 2**31,
            listener=recording,
            may_start=lambda: deadline is None or time.monotonic() < deadline,
        )
        if not spec.finalists:
            return Program(search, None)
        confirm = Phase(
            CONFIRM,
            confirmation.ledger,
            NoScheduler(),
            max_epochs=spec.epochs,
            target=confirmation.enter_baseline(),
            seed_of=lambda number: derive_seed(spec.seed, "confirm", number) % 2**31,
            listener=recording,
        )

        def choose() -> None:
            confirm.target = confirmation.enter_finalists()
            recording.on_finalists(confirm.target)

        return Program(search, confirm, choose)

    def _scheduler(self, grace: int) -> Scheduler:
        if self.spec.scheduler == "none":
            return NoScheduler()
        from search.execution.asha import Asha

        return Asha(self.spec.epochs, grace, self.spec.eta)

    def _folder(self, phase: str, number: int) -> Path:
        if phase == CONFIRM:
            return self.store.study_checkpoints(self.spec.name) / CONFIRM / str(number)
        return self.store.checkpoints(self.spec.name, number)

    def _tidy(self, *ledgers: Ledger) -> None:
        """Checkpoints of finished trials go, but for the best weights of the complete ones."""
        from search.execution.names import LAST

        for phase, ledger in zip((SEARCH, CONFIRM), ledgers, strict=True):
            for trial in ledger.trials():
                folder = self._folder(phase, trial.number)
                if trial.state is TrialState.COMPLETE:
                    (folder / LAST).unlink(missing_ok=True)
                elif trial.state.is_finished():
                    shutil.rmtree(folder, ignore_errors=True)

    # -- the answer ---------------------------------------------------------------------------------

    def _evaluator(
        self, dataset: Dataset, material: Material, fixed: Fixed
    ) -> Callable[[FrozenTrial], float] | None:
        """Accuracy on the test split of a confirmation's training; none for a trainable of the user's own."""
        if self.spec.trainable != StudySpec.model_fields["trainable"].default:
            return None
        from search.execution.names import BEST
        from trainables import checkpoint
        from trainables.testing import accuracy_on

        def evaluate(training: FrozenTrial) -> float:
            best = checkpoint.load(self._folder(CONFIRM, training.number) / BEST)
            if best is None:
                raise StudyError(
                    f"the weights of confirmation {training.number} of {self.spec.name!r} must be in "
                    f"{self._folder(CONFIRM, training.number)}, but are not there or not whole"
                )
            return accuracy_on(
                dataset.test, best["weights"], training.params, fixed, training.user_attrs["seed"], material
            )

        return evaluate

    def _result(
        self, space: SearchSpace, ledger: Ledger, answer: Any, recording: Recording | None
    ) -> StudyResult:
        from search.execution.names import BEST

        return StudyResult(
            name=self.spec.name,
            trials=[
                summarise(
                    trial,
                    self._folder(SEARCH, trial.number) / BEST,
                    recording.run_id(trial.number) if recording is not None else None,
                )
                for trial in self._known_trials(ledger)
            ],
            answer=answer,
            epochs=self.spec.epochs,
            parameters=tuple(space.leaves()),
        )

    @staticmethod
    def _known_trials(ledger: Ledger) -> list[FrozenTrial]:
        return [trial for trial in ledger.trials() if trial.state is not TrialState.WAITING]

    def _judge(self, result: StudyResult) -> None:
        """A study without a single complete trial has no answer, and says why."""
        failed = [trial for trial in result.trials if trial.state == "FAIL"]
        if not any(trial.state == "COMPLETE" for trial in result.trials) and failed:
            raise StudyError(
                f"no trial of {self.spec.name!r} is COMPLETE; {len(failed)} of {len(result.trials)} failed, "
                f"the first because: {failed[0].reason}"
            )


@contextmanager
def hushed_optuna() -> Iterator[None]:
    """Optuna's log lines about each trial repeat what the view shows."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def find_study(store: Store, name: str) -> optuna.Study:
    """A study of the ledger, to be read.

    Raises:
        InputError: There is none of that name; those that there are, are named.
    """
    names = study_names(store)
    if name not in names and name.split("@")[0] not in names:
        raise InputError(
            f"there is no study {name!r} in {store.root}"
            + (f"; there are: {', '.join(names)}" if names else "; no study was run there yet")
        )
    return make_study(open_storage(store), name, optuna.samplers.RandomSampler())


def study_names(store: Store) -> list[str]:
    """Names of the studies in the store, confirmations left out."""
    if store.optuna is None and not store.optuna_db.exists():
        return []
    names = optuna.get_all_study_names(open_storage(store))
    return [name for name in names if "@" not in name]
