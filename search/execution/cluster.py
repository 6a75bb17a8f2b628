"""Ray on this machine: started quietly, with an environment in which small networks are quick."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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
    """

    workers: int
    cpus_per_trial: int
    gpus_per_trial: float


def find_resources(workers: int | None, cpus_per_trial: int, gpus_per_trial: float | None) -> Resources:
    """What there is on this machine, where the spec does not say.

    With GPUs and nothing said, a trial gets a whole one. Without, a trial gets a core.
    """
    gpus = count_gpus()
    share = gpus_per_trial if gpus_per_trial is not None else float(min(gpus, 1))
    if workers is None:
        cores = max(1, available_cores() // cpus_per_trial)
        workers = min(cores, int(gpus / share + 1e-9)) if share and gpus else cores
    return Resources(max(1, workers), cpus_per_trial, share if gpus else 0.0)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_gpus() -> int:
    """CUDA devices that torch sees."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


@contextmanager
def local_cluster(resources: Resources) -> Iterator[None]:
    """A Ray cluster of just the cores and GPUs that the study uses, gone afterwards.

    The environment is set before Ray starts, since its processes inherit it (the allocator reads it
    at a process's start and never again), and is put back afterwards.
    """
    environment = {**QUIET, **ALLOCATOR, "OMP_NUM_THREADS": str(resources.cpus_per_trial)}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update({name: value for name, value in environment.items() if before[name] is None})
    import ray

    started = False
    try:
        if not ray.is_initialized():
            ray.init(
                num_cpus=resources.workers * resources.cpus_per_trial,
                num_gpus=count_gpus() if resources.gpus_per_trial else 0,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
            started = True
        yield
    finally:
        if started:
            ray.shutdown()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
