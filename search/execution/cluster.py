"""Ray on this machine: started quietly, with an environment in which small networks are quick."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from search.errors import StudyError
from search.execution.prestart import MODULES, prestart
from spaces import InputError

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


@dataclass(frozen=True)
class Resources:
    """What a study may use.

    Args:
        workers: Trials at a time.
        cpus_per_trial: Cores, and torch threads, of one trial.
        gpus_per_trial: Share of a GPU of one trial; 0 without one.
        together: Trials of one process, batched where they can be; 1 gives each a process of its own.
    """

    workers: int
    cpus_per_trial: int
    gpus_per_trial: float
    together: int = 1


def find_resources(
    workers: int | None,
    cpus_per_trial: int,
    gpus_per_trial: float | None,
    gpus: int,
    together: int = 1,
) -> Resources:
    """What a study uses, as far as that is known before anything is measured.

    Where the spec says nothing, a trial gets a whole GPU, or without one a core.

    Args:
        workers: Trials at a time; none takes what there is room for.
        cpus_per_trial: Cores of one trial.
        gpus_per_trial: Share of a GPU of one trial; none takes a whole one.
        gpus: GPUs of this machine that the study may use.
        together: Trials of one process.

    Raises:
        InputError: A share that no machine, or not this one, can give.
    """
    if gpus_per_trial is not None and gpus_per_trial > 1 and gpus_per_trial != int(gpus_per_trial):
        raise InputError(f"`gpus_per_trial` must be whole above 1, but got {gpus_per_trial:g}")
    if gpus and gpus_per_trial is not None and gpus_per_trial > gpus:
        raise InputError(f"`gpus_per_trial <= GPUs` must hold, but got {gpus_per_trial:g} with {gpus}")
    share = float(min(gpus, 1)) if gpus_per_trial is None else gpus_per_trial if gpus else 0.0
    if together > 1:
        return batched(cpus_per_trial, workers, together, gpus)
    if workers is None:
        workers = available_cores() // cpus_per_trial
        if share:
            workers = min(workers, int(gpus / share + 1e-9))
    return Resources(max(1, workers), cpus_per_trial, share)


def batched(cpus_per_trial: int, workers: int | None, together: int, gpus: int) -> Resources:
    """Several trials of one process: on each GPU, or on the cores that they have together.

    Args:
        cpus_per_trial: Cores of one trial.
        workers: Trials at a time; none takes one process a GPU, or a single one. With GPUs no more than have a place.
        together: Trials of one process.
        gpus: GPUs of this machine that the study may use.
    """
    most = together * max(1, gpus)
    # Each process has a GPU to itself; without one there may be as many as the user asks for.
    workers = most if workers is None else min(workers, most) if gpus else workers
    together = min(together, workers)
    return Resources(workers, cpus_per_trial, 1 / together if gpus else 0.0, together)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> int:
    """NVIDIA devices that this process may use, found without the seconds that importing torch takes."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return len([word for word in chosen.split(",") if word.strip() not in {"", "-1"}])
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


class LocalCluster:
    """A Ray cluster of just the cores and GPUs that a study uses, gone afterwards.

    It starts in a thread while the driver still prepares data and weights.

    Args:
        resources: What the study uses.
        gpus: GPUs of this machine that the study may use.
        most: Workers that it may have once it is known what a trial takes.
        early: Start at once; false waits for `ready`, since perhaps nothing is left to run.
    """

    def __init__(self, resources: Resources, gpus: int, *, most: int = 0, early: bool) -> None:
        self._early = early
        self._resources = resources
        self._gpus = gpus if resources.gpus_per_trial else 0
        self._cores = max(resources.workers, most) * resources.cpus_per_trial
        self._fault: BaseException | None = None
        self._started = False
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, name="ray-start", daemon=True)
        # Ray's processes inherit the environment, and the allocator reads it at a process's start only.
        environment = {**QUIET, **ALLOCATOR, "OMP_NUM_THREADS": str(resources.cpus_per_trial)}
        self._set = {name: value for name, value in environment.items() if name not in os.environ}

    def __enter__(self) -> LocalCluster:
        os.environ.update(self._set)
        if self._early:
            self._thread.start()
        return self

    def _live(self) -> None:
        """Start Ray, and stay: the kernel ends Ray's processes with the thread that started them."""
        self._start()
        self._ready.set()
        self._over.wait()

    def _start(self) -> None:
        try:
            import ray

            if ray.is_initialized():  # the caller's own: used as it is, and left running
                return
            ray.init(
                address="local",  # else one that somebody has started on this machine would be joined, or refused
                num_cpus=self._cores,
                num_gpus=self._gpus,
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
                prestart(self._resources.workers)
        except BaseException as error:
            self._fault = error

    def ready(self) -> None:
        """Wait until trials can be run.

        Raises:
            StudyError: Ray could not be started.
        """
        if not self._early:
            self._thread.start()
        self._ready.wait()
        if self._fault is not None:
            raise StudyError(f"Ray could not be started: {self._fault}") from self._fault

    def __exit__(self, *error: object) -> None:
        if self._thread.ident is not None:
            self._ready.wait()
        if self._started:
            import ray

            ray.shutdown()
        self._over.set()
        for name in self._set:
            os.environ.pop(name, None)
