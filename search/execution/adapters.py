"""The decisions, as Ray Tune's searcher, scheduler and callback. No exception of ours leaves them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ray
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from search.decisions.program import Job, Phases
from search.decisions.scheduler import Decision
from search.errors import StudyError
from search.execution.deaths import KILLED, Deaths
from search.execution.recycling import TRIALS_A_PROCESS, Recycling
from search.execution.watch import Watch
from search.places import Place
from search.store.patience import Patience, is_full
from trainables.diagnosis.diagnosis import Diagnosis
from trainables.protocol import EpochRecord

PROBE = "room"
"""A file that is written to see whether a disk has room."""
SPARE = 2
"""Of so many checkpoints, before a trial goes on."""


class Bridge:
    """Carries Ray's events to the program and its decisions back.

    An exception in a callback or searcher would end Ray's whole run in the middle of other trials.
    Here it is kept as `fault`: nothing new is started, what runs is stopped where it stands (still
    RUNNING in the ledger, so that the next start goes on with it), and the driver raises it afterwards.

    Args:
        program: What to run.
        place_of: (phase, trial number) → where its checkpoints are.
        study: What no other study is called, not even a later one of the same name.
        patience: Waits for a disk that is full.
    """

    def __init__(
        self,
        program: Phases,
        place_of: Callable[[str, int], Place],
        study: str,
        patience: Patience | None = None,
    ) -> None:
        self._program = program
        self._patience = patience or Patience()
        self._study = study
        self._place_of = place_of
        self.fault: BaseException | None = None
        self.stopping = threading.Event()

    def __getstate__(self) -> dict[str, Any]:
        """Ray pickles its Tuner at the start, to restore it some day; ours is never restored."""
        return {}

    def suggest(self) -> dict[str, Any] | None:
        """The next trial as Ray's config; none if there is none at the moment."""
        job = self._guard(self._program.next, None) if not self.ended else None
        return self._config(job) if job is not None else None

    @property
    def ended(self) -> bool:
        """No trial will come any more."""
        return self.stopping.is_set() or self.fault is not None or self._guard(self._is_done, True)

    def _is_done(self) -> bool:
        return self._program.is_done

    def _config(self, job: Job) -> dict[str, Any]:
        assignment = job.assignment
        return {
            "study": self._study,
            "phase": job.phase,
            "number": assignment.number,
            "params": dict(assignment.params),
            "seed": assignment.seed,
            "known": assignment.known,
            "waits": list(job.waits),
            "asked": time.time(),
            "folder": self._place_of(job.phase, assignment.number).address,
        }

    def result(self, config: dict[str, Any], result: dict[str, Any]) -> str:
        """Ray's word for what becomes of a trial after `result`."""
        if self.stopping.is_set() or self.fault is not None:
            return str(TrialScheduler.STOP)
        decision = self._guard(lambda: self._judge(config, result), Decision.STOP)
        return str(TrialScheduler.CONTINUE if decision is Decision.CONTINUE else TrialScheduler.STOP)

    def _judge(self, config: dict[str, Any], result: dict[str, Any]) -> Decision:
        phase, number = config["phase"], config["number"]
        if "fault" in result:
            self._await_room(phase, number, result)
            return Decision.STOP
        seconds: dict[str, float] = json.loads(result["seconds"])
        if "failure" in result:
            diverged = bool(result.get("diverged"))
            self._program.on_failure(
                phase,
                number,
                result["failure"],
                diverged=diverged,
                again=bool(result.get("again")),
                lost=seconds,
                cause=Diagnosis.from_dict(json.loads(result["cause"])) if result.get("cause") else None,
            )
            return Decision.STOP
        record = EpochRecord.from_json(result["record"]).spent(seconds)
        return self._program.on_record(phase, number, record)

    def _await_room(self, phase: str, number: int, result: dict[str, Any]) -> None:
        """A checkpoint could not be written. Where the disk is full that is no fault of anybody's, and passes.

        Raises:
            StudyError: It is something else, or the disk stays full.
        """
        fault = result["fault"]
        if not is_full(fault):
            raise StudyError(f"{fault}; mend that, and the same command goes on")
        place = self._place_of(phase, number)

        def try_again() -> None:
            try:
                place.put(PROBE, bytes(SPARE * int(result["bytes"])))
            except OSError as error:
                raise OSError(fault) from error
            finally:
                place.remove(PROBE)

        self._patience.of(try_again)
        self._program.on_failure(phase, number, fault, again=True)

    def death(self, config: dict[str, Any], reason: str) -> None:
        """A trial's worker is gone; the trial goes on at another one."""
        if not self.stopping.is_set() and self.fault is None:
            phase, number = config["phase"], config["number"]
            self._guard(lambda: self._program.on_failure(phase, number, reason, again=True), None)

    def _guard(self, act: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return act()
        except Exception as error:
            self.fault = error
            return otherwise


class RaySearcher(Searcher):
    """Ray asks for trials; the program answers. Ray saves no state of it: the ledger has it all."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(metric="score", mode="max")
        self._bridge = bridge

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial, none for now, or the end."""
        config = self._bridge.suggest()
        if config is None and self._bridge.ended:
            return str(Searcher.FINISHED)
        return config

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Nothing: the true state was told when it was decided."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing to save."""


class RayScheduler(FIFOScheduler):
    """Ray brings results; the program decides."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._recycling = Recycling(TRIALS_A_PROCESS)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """The program's decision on this result."""
        return self._bridge.result(trial.config, result)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Say whether the trial's process takes another one.

        Tune knows only of all processes or none, and asks right after this call, for this one.
        """
        process = tune_controller._trial_to_actor[trial]
        again = self._recycling.goes_on(process)
        # What broke off is tried again elsewhere, and so is all that would come after it: the process may be at fault.
        tune_controller._reuse_actors = again and not result.get("again")


class RayCallback(Callback):
    """Ray tells of workers that died; those that are silent for too long are ended.

    Args:
        bridge: Who is told.
        watch: Keeps the time.
    """

    def __init__(self, bridge: Bridge, watch: Watch) -> None:
        self._bridge = bridge
        self._watch = watch
        self._deaths = Deaths()
        self._silent: dict[str, float] = {}

    def __getstate__(self) -> dict[str, Any]:
        """As for `Bridge`."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial has a worker."""
        self._watch.begin(trial.trial_id)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """It lives."""
        self._watch.heard(trial.trial_id)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Nothing is waited for any more."""
        self._watch.end(trial.trial_id)

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Ray looks around, many times a second: what hangs is ended, which Ray then tells as a death."""
        self._deaths.look()
        overdue = set(self._watch.overdue())
        for trial in [trial for trial in trials if trial.trial_id in overdue] if overdue else []:
            self._silent[trial.trial_id] = self._watch.limit(trial.trial_id)
            with suppress(Exception):  # it may have died this very moment
                ray.kill(trial.temporary_state.ray_actor)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Its worker is gone: the trial goes on elsewhere, or is FAIL; the study goes on."""
        self._watch.end(trial.trial_id)
        silent = self._silent.pop(trial.trial_id, None)
        try:
            reason = self._deaths.reason(trial.get_pickled_error())
        except Exception:  # what Ray wrote down cannot be read
            reason = KILLED
        if silent is not None:
            reason = (
                f"its process gave no sign of life for {silent:.0f} s and was ended; if an epoch may take so long, "
                "set `silence`"
            )
        self._bridge.death(trial.config, reason)
