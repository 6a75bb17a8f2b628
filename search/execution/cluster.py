"""What a study runs on, and Ray on this machine: quiet, in an environment in which small networks are quick."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, Self, TypeVar

from search.errors import StudyError
from search.execution.prestart import MODULES, prestart
from search.execution.resources import Resources, available_cores, visible_gpus

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_TRAIN_V2_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_WARN_THRESHOLD_S": "60",
}
"""No usage reports, no CSV, JSON or TensorBoard files, no snapshots that nobody reads, no other folder."""

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
"""glibc otherwise gives each large tensor back to the system and faults it in again at the next step."""

T = TypeVar("T")


class Cluster(Protocol):
    """Cores and GPUs, and Ray on them. It is entered before anything is asked of it."""

    @property
    def cores(self) -> int:
        """Cores that there are."""

    @property
    def gpus(self) -> int:
        """GPUs that there are."""

    @property
    def may_grow(self) -> bool:
        """Whether trials may run on other machines than the driver's."""

    def start(self, resources: Resources, most: int, *, early: bool) -> None:
        """Have it ready for a study soon.

        Args:
            resources: What the study uses, as far as that is known.
            most: Workers that it may have once it is known what a trial takes.
            early: Start at once; false waits for `ready`, since perhaps nothing is left to run.
        """

    def ready(self) -> None:
        """Wait until trials can be run.

        Raises:
            StudyError: Ray could not be started.
        """

    def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function where there is a GPU, if the cluster has one."""

    def __enter__(self) -> Self:
        """Cores and GPUs are known afterwards."""

    def __exit__(self, *error: object) -> None:
        """Nothing of the study is left there."""


def environment_of_trials(threads: int) -> dict[str, str]:
    """Ray's processes inherit it; the allocator and OpenMP read theirs at a process's start only."""
    return {**QUIET, **ALLOCATOR, "OMP_NUM_THREADS": str(threads)}


class LocalCluster:
    """A Ray cluster of just the cores and GPUs of this machine that a study uses, gone afterwards.

    It starts in a thread while the driver still prepares data and weights. Where the caller has a Ray of its own, that
    one is used as it is, and left running.
    """

    def __init__(self, threads: int) -> None:
        self._fault: BaseException | None = None
        self._started = False
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, name="ray-start", daemon=True)
        environment = environment_of_trials(threads)
        self._set = {name: value for name, value in environment.items() if name not in os.environ}

    @property
    def cores(self) -> int:
        """Of this machine, as far as this process may use them."""
        return available_cores()

    @property
    def gpus(self) -> int:
        """Likewise."""
        return visible_gpus()

    @property
    def may_grow(self) -> bool:
        """Only where Ray is the caller's own, and has other machines."""
        import ray

        return not self._started and len(ray.nodes()) > 1

    def __enter__(self) -> Self:
        os.environ.update(self._set)
        return self

    def start(self, resources: Resources, most: int, *, early: bool) -> None:
        """See `Cluster.start`."""
        self._processes = resources.workers * resources.processes
        self._used = self.gpus if resources.gpus_per_trial else 0
        self._cores = max(resources.workers, most) * resources.cpus_per_trial
        if early:
            self._thread.start()

    def _live(self) -> None:
        """Start Ray, and stay: the kernel ends Ray's processes with the thread that started them."""
        self._start()
        self._ready.set()
        self._over.wait()

    def _start(self) -> None:
        try:
            import ray

            if ray.is_initialized():
                return
            ray.init(
                address="local",  # else one that somebody has started on this machine would be joined, or refused
                num_cpus=self._cores,
                num_gpus=self._used,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                # Tune gives its actors an environment of their own, so they never get a process that Ray
                # starts ahead of time by itself: those would only take the cores while the driver needs them.
                _system_config={
                    "prestart_worker_first_driver": False,
                    "enable_worker_prestart": False,
                    "preload_python_modules": list(MODULES),
                },
            )
            self._started = True
            with suppress(Exception):  # then actors start their processes themselves
                prestart(self._processes)
        except BaseException as error:
            self._fault = error

    def ready(self) -> None:
        """Wait until trials can be run.

        Raises:
            StudyError: Ray could not be started.
        """
        if self._thread.ident is None:
            self._thread.start()
        self._ready.wait()
        if self._fault is not None:
            raise StudyError(f"Ray could not be started: {self._fault}") from self._fault

    def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Here."""
        return function(*arguments)

    def __exit__(self, *error: object) -> None:
        if self._thread.ident is not None:
            self._ready.wait()
        if self._started:
            import ray

            ray.shutdown()
        self._over.set()
        for name in self._set:
            os.environ.pop(name, None)
