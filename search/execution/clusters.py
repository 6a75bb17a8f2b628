"""Which cluster a study runs on."""

from __future__ import annotations

from collections.abc import Sequence

from search.execution.cluster import Cluster, LocalCluster
from search.spec import StudySpec


def cluster_of(spec: StudySpec, others: Sequence[StudySpec] = ()) -> Cluster:
    """One of this machine for the study alone, or the one that it names.

    Args:
        spec: The study.
        others: Further specs whose own code is needed there.

    Raises:
        InputError: No address of a cluster that can be joined.
    """
    if spec.ray_address is None:
        return LocalCluster(spec.threads)
    from search.execution.joined import JoinedCluster
    from search.execution.own_code import own_code

    # How many trials share a GPU is measured, unless the study says it; before that nobody knows how many to ask for.
    known = spec.device == "cpu" or spec.gpus_per_trial is not None or spec.processes > 1
    return JoinedCluster(
        spec.ray_address,
        spec.threads,
        list(dict.fromkeys(path for one in (spec, *others) for path in own_code(one))),
        grows_to=spec.workers if known else None,
        on_cpu=spec.device == "cpu",
    )
