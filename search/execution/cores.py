"""How the trials of a study share the cores and the memory of a machine: by what one trial takes there."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from search.execution.cluster import Cluster
from search.execution.resources import Resources
from search.spec import OWN_CORE, StudySpec

if TYPE_CHECKING:
    from trainables.material import Material

ROOM = 0.9
"""Share of what is free of memory and disk that a study may be expected to fill."""

MIB = 2**20


def with_threads(
    spec: StudySpec, resources: Resources, cluster: Cluster, material: Material, known: int | None
) -> tuple[StudySpec, Resources]:
    """The spec with a number where it leaves a trial's cores open, and no more trials at a time than that leaves.

    More than one are measured where cores would be idle: fewer workers were asked for than there are cores, or fewer
    trials. It is one where that cannot be known: for trials on GPUs or of several processes, for somebody else's
    training, on a cluster of whose machines each has cores of its own.

    Args:
        spec: The study.
        resources: As `find_resources` found them.
        cluster: What it runs on.
        material: What its trials are made of.
        known: What the study began with; none for a new one.
    """
    if spec.cpus_per_trial != "auto":
        return spec, resources
    if resources.gpus_per_trial or resources.processes > 1 or resources.together > 1 or spec.ray_address:
        return spec.model_copy(update={"cpus_per_trial": spec.processes}), resources
    cores = cluster.cores
    number = min(known or 1, cores)
    at_once = min(resources.workers, spec.most_trials or math.inf)
    if known is None and spec.trainable == OWN_CORE and 2 * at_once <= cores:
        from trainables.settling import threads_that_pay

        number = cluster.compute(threads_that_pay, spec.fixed(), material, int(cores // at_once))
    if number > 1:
        resources = replace(resources, workers=max(1, min(resources.workers, cores // number)))
    return spec.model_copy(update={"cpus_per_trial": number}), resources


def within_memory(spec: StudySpec, resources: Resources, memory: float | None) -> Resources:
    """No more trials at a time than the memory of this machine has room for, unless the spec says how many.

    Args:
        spec: The study.
        resources: What it would use.
        memory: Peak of one trial, MiB; none where it was not measured.
    """
    elsewhere = resources.gpus_per_trial or resources.together > 1 or spec.ray_address is not None
    if memory is None or spec.workers is not None or elsewhere:
        return resources
    return replace(
        resources, workers=max(1, min(resources.workers, int(ROOM * free_memory() / (MIB * memory))))
    )


def free_memory() -> float:
    """Bytes of this machine that are not in use."""
    import psutil

    return float(psutil.virtual_memory().available)
