"""What a study may use of the cores and GPUs that there are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from spaces import InputError


@dataclass(frozen=True)
class Resources:
    """What a study may use.

    Args:
        workers: Trials at a time.
        cpus_per_trial: Cores, and torch threads, of one trial.
        gpus_per_trial: Share of a GPU of one trial; 0 without one.
        together: Trials of one process, batched where they can be; 1 gives each a process of its own.
        processes: Of one trial, each with as many of its cores, and with a GPU of its own.
    """

    workers: int
    cpus_per_trial: int
    gpus_per_trial: float
    together: int = 1
    processes: int = 1

    @property
    def bundles(self) -> list[dict[str, float]]:
        """What a trial needs, process by process."""
        cores, gpus = self.cpus_per_trial / self.processes, self.gpus_per_trial / self.processes
        return [{"CPU": cores, "GPU": gpus} if gpus else {"CPU": cores}] * self.processes


def find_resources(
    workers: int | None,
    cpus_per_trial: int,
    gpus_per_trial: float | None,
    gpus: int,
    together: int = 1,
    cores: int | None = None,
    processes: int = 1,
) -> Resources:
    """What a study uses, as far as that is known before anything is measured.

    Where the spec says nothing, a trial gets a whole GPU, or without one a core.

    Args:
        workers: Trials at a time; none takes what there is room for.
        cpus_per_trial: Cores of one trial.
        gpus_per_trial: Share of a GPU of one trial; none takes a whole one.
        gpus: GPUs that the study may use.
        together: Trials of one process.
        cores: Cores that it may use; none takes those of this machine.
        processes: Of one trial.

    Raises:
        InputError: A share that no machine, or not those at hand, can give.
    """
    if gpus_per_trial is not None and gpus_per_trial > 1 and gpus_per_trial != int(gpus_per_trial):
        raise InputError(f"`gpus_per_trial` must be whole above 1, but got {gpus_per_trial:g}")
    if gpus and gpus_per_trial is not None and gpus_per_trial > gpus:
        raise InputError(f"`gpus_per_trial <= GPUs` must hold, but got {gpus_per_trial:g} with {gpus}")
    if gpus and processes > gpus:
        raise InputError(f"`processes_per_trial <= GPUs` must hold, but got {processes} with {gpus}")
    if gpus_per_trial is None and processes > 1:
        gpus_per_trial = float(processes)
    share = float(min(gpus, 1)) if gpus_per_trial is None else gpus_per_trial if gpus else 0.0
    if together > 1:
        return batched(cpus_per_trial, workers, together, gpus)
    if workers is None:
        workers = (available_cores() if cores is None else cores) // cpus_per_trial
        if share:
            workers = min(workers, int(gpus / share + 1e-9))
    return Resources(max(1, workers), cpus_per_trial, share, processes=processes)


def batched(cpus_per_trial: int, workers: int | None, together: int, gpus: int) -> Resources:
    """Several trials of one process: on each GPU, or on the cores that they have together.

    Args:
        cpus_per_trial: Cores of one trial.
        workers: Trials at a time; none takes one process a GPU, or a single one. With GPUs no more than have a place.
        together: Trials of one process.
        gpus: GPUs that the study may use.
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
