"""A study prepared only to be looked at: nothing of it begins."""

from __future__ import annotations

from collections.abc import Callable

from search import register
from search.preflight.preflight import Preflight, examine
from search.spec import StudySpec
from search.store.layout import Store
from trainables.data.naming import find_dataset


def preflight(
    spec: StudySpec,
    store: Store,
    progress: Callable[[int, int], None] = lambda done, total: None,
    tell: Callable[[str], None] = lambda text: None,
) -> Preflight:
    """Look at a study: data, network, recipe, learning rates, and what it will take. Nothing is written.

    Args:
        spec: The study.
        store: Where it would be kept; one that is there already has settled what it measured once.
        progress: Told how far the decoding of images has come.
        tell: Told in a few words what is being done.

    Raises:
        InputError: Something about the spec, data, model or space is wrong.
    """
    from search.execution.clusters import cluster_of
    from search.execution.resources import find_resources
    from search.preparation import prepare_study
    from trainables.material import settle

    space = spec.search_space()
    find_dataset(spec.data)
    tell("preparing data")
    with cluster_of(spec) as cluster:
        gpus = 0 if spec.device == "cpu" else cluster.gpus
        together = 1 if spec.together == "auto" else spec.together
        resources = find_resources(
            spec.workers, spec.cores, spec.gpus_per_trial, gpus, together, cluster.cores, spec.processes
        )
        prepared = prepare_study(spec, space, progress, tell)
        tell("measuring")
        fixed = register.settled_in(store, spec)
        if fixed is None:
            fixed = cluster.compute(settle, spec.fixed(), prepared.material, spec.threads)
        tell("looking whether the study can work")
        return examine(spec, space, prepared, fixed, resources, cluster.compute, store.root)
