"""The only writer to MLflow: a thread of its own, so that the scheduling loop never waits for a database."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from search.store.layout import Store, check_study_name
from search.store.patience import sentence
from search.tracking.delivery import PATIENCE_SECONDS, Delivery
from search.tracking.patch import RunPatch, patch_of_record, patch_of_trial, points_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_NOTHING: Mapping[str, str] = {}
_NO_METRICS: Mapping[str, float] = {}
_Work = Callable[[], Sequence[RunPatch]]

GATHER = 3.0
"""Seconds for which what is to be written is gathered: eight records of a run at once cost MLflow two fifths as much
each."""


class Projection:
    """Projects one phase of a study from the ledger to MLflow.

    Every method but `flush` and `close` only queues, and none raises: what MLflow does not take within
    `patience` is kept in a spool file and written by the next process, or as soon as MLflow is back.

    Args:
        store: Whose MLflow.
        study_name: Also the experiment's name.
        phase: Each has its own parent run (``search``, ``confirm``, …).
        uid: The study's own; runs of another study of the same name are left alone.
        patience: Seconds for which a failed write is tried again before it is spooled.

    Raises:
        InputError: If the study's or the phase's name is not a safe one.
    """

    def __init__(
        self,
        store: Store,
        study_name: str,
        *,
        phase: str = "search",
        uid: str = "-",
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        check_study_name(study_name), check_study_name(phase)
        self._delivery = Delivery(store, study_name, phase, patience, uid)
        self._study, self._patience = study_name, patience
        self._queue: SimpleQueue[_Work | threading.Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._fault: str | None = None

    def open_study(
        self,
        *,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        artifacts: Mapping[str, str],
        experiment: Mapping[str, str] = _NOTHING,
    ) -> None:
        """Finds or makes the experiment and the parent run, and sets it RUNNING.

        Args:
            params: The study's own; another value of one that MLflow holds becomes a tag ``resumed.…``.
            tags: The study's own.
            artifacts: File name to text.
            experiment: Tags of the experiment; what it has already stays, for somebody may have changed it.
        """
        now = _now()
        patch = RunPatch(
            None,
            tags=dict(tags),
            params=dict(params),
            artifacts=dict(artifacts),
            experiment=dict(experiment),
            status="RUNNING",
            start_time=now,
        )
        self._submit(lambda: [patch])

    def start(self, trial: "FrozenTrial") -> None:
        """Makes the trial's run (``trial-007``), nested in the parent, or sets it RUNNING again."""
        self._submit_now(lambda: patch_of_trial(trial))

    def record(self, number: int, epoch: int, time_ms: int, metrics: Mapping[str, float]) -> None:
        """Adds a finished epoch to a trial's run.

        Args:
            number: The trial's.
            epoch: From 1.
            time_ms: When the record reached the driver, as in the ledger; milliseconds since 1970.
            metrics: By name; values that are not finite are left out and named in ``trial.nonfinite``.
        """
        self._submit_now(lambda: patch_of_record(number, epoch, time_ms, metrics))

    def end(self, trial: "FrozenTrial") -> None:
        """Ends the trial's run with its true state, and adds what it may lack of the ledger."""
        self._submit_now(lambda: patch_of_trial(trial))

    def sync(self, trials: "Sequence[FrozenTrial]", tell: Callable[[int], None] | None = None) -> None:
        """Brings MLflow in line with the ledger: missing runs, missing points, wrong states.

        Args:
            trials: All of the study's; those that have not started are left out.
            tell: Told, from another thread, how many finished trials MLflow lacked something of, if any.
        """
        # A finished trial never changes, so its patch can be made in the thread; the others' are made here.
        finished = [trial for trial in trials if trial.state.is_finished()]
        self._submit(lambda: [patch_of_trial(trial) for trial in finished])
        for trial in trials:
            if trial.state.name == "RUNNING":
                self.start(trial)
        if tell is not None:
            self._queue.put(_Mended(self._delivery, tell))

    def annotate(
        self,
        *,
        tags: Mapping[str, str] = _NOTHING,
        metrics: Mapping[str, float] = _NO_METRICS,
        artifacts: Mapping[str, str] = _NOTHING,
    ) -> None:
        """Adds to the parent run; a metric whose latest value is the same already is not logged again."""
        now = _now()

        def patch() -> RunPatch:
            points, nonfinite = points_of(0, now, metrics)
            return RunPatch(
                None,
                tags=dict(tags),
                points=points,
                artifacts=dict(artifacts),
                nonfinite=nonfinite,
                start_time=now,
            )

        self._submit_now(patch)

    def flush(self, timeout: float = 60.0) -> bool:
        """Waits until everything queued so far is written.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            Whether it is: False too if it had to be spooled.
        """
        if self._thread is not None and not self._closed:
            done = threading.Event()
            self._queue.put(done)
            if not done.wait(timeout):
                return False
        return self._fault is None and self._delivery.kept == 0

    def close(self, status: str = "FINISHED") -> str | None:
        """Writes what is queued, ends the parent run and the thread.

        Args:
            status: The parent run's: FINISHED, KILLED or FAILED.

        Returns:
            One sentence on what could not be written and where it is kept, or None.
        """
        if self._thread is not None and not self._closed:
            now = _now()
            self._submit(lambda: [RunPatch(None, status=status, start_time=now, end_time=now)])
            self._closed = True
            self._queue.put(None)
            # Twice as long as the thread should need: MLflow may be inside its own wait for a lock.
            self._thread.join(2 * self._patience + 60)
            if self._thread.is_alive():
                return f"MLflow does not answer; what it lacks of {self._study} is in the ledger"
        self._closed = True
        if self._fault is not None:
            return f"not all of {self._study} is in MLflow: {self._fault}"
        return self._delivery.complaint()

    @property
    def parent_id(self) -> str | None:
        """The parent run's id, once it is known (after `flush`)."""
        return self._delivery.run_ids.get(None)

    def run_id(self, number: int) -> str | None:
        """The id of the run of the trial with this number, once it is known (after `flush`)."""
        return self._delivery.run_ids.get(number)

    def _submit_now(self, make: Callable[[], RunPatch]) -> None:
        """Queues a patch made at once, since the caller may change what it is made from."""
        try:
            patch = make()
        except Exception as error:
            # Nothing may leave a callback of Ray's: there it would end the study.
            self._fault = sentence(error)
            return
        self._submit(lambda: [patch])

    def _submit(self, work: _Work) -> None:
        if self._closed:
            return
        self._queue.put(work)
        if self._thread is None:
            # A daemon: a driver that dies without `close` must not wait for MLflow; the ledger has it all.
            self._thread = threading.Thread(target=self._loop, name=f"mlflow-{self._study}", daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while True:
            items = self._gathered()
            patches: list[RunPatch] = []
            for item in items:
                try:
                    patches += item() if callable(item) else []
                except Exception as error:
                    self._fault = sentence(error)
            try:
                if patches:
                    self._delivery.deliver(patches)
            except Exception as error:
                self._fault = sentence(error)
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()
            if None in items:
                return

    def _gathered(self) -> list[_Work | threading.Event | None]:
        """What comes within `GATHER` seconds, or until somebody waits for it."""
        items = [self._queue.get()]
        until = time.monotonic() + GATHER
        while callable(items[-1]):
            try:
                items.append(self._queue.get(timeout=max(0.0, until - time.monotonic())))
            except Empty:
                break
        return items


class _Mended(threading.Event):
    """Set when all that was queued before is written: then the trials that it mended are known."""

    def __init__(self, delivery: Delivery, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._delivery, self._tell = delivery, tell

    def set(self) -> None:
        super().set()
        mended = self._delivery.take_mended()
        if mended and not self._delivery.kept:
            with suppress(Exception):
                self._tell(mended)


def _now() -> int:
    return round(time.time() * 1000)
