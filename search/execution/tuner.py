"""One run of a program on Ray Tune."""

from __future__ import annotations

import logging
import math
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import ray
from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner

from search.decisions.program import Phases
from search.execution.adapters import Bridge, RayCallback, RayScheduler, RaySearcher
from search.execution.resources import Resources
from search.execution.seat import Shared
from search.execution.watch import Watch
from search.execution.worker import Worker
from search.places import Place
from search.store.patience import Patience


class Interrupted(KeyboardInterrupt):
    """The user asked to stop; what ran is still RUNNING in the ledger and goes on at the next start."""


def execute(
    program: Phases,
    shared: Shared,
    resources: Resources,
    place_of: Callable[[str, int], Place],
    study: str,
    silence: float | None = None,
    patience: Patience | None = None,
) -> None:
    """Run `program` to its end on the cluster that Ray is connected to.

    A fresh Tuner each time: it knows nothing of earlier ones, the ledger has told the program.

    Args:
        program: What to run.
        shared: What its trials have in common.
        resources: What they may use.
        place_of: (phase, trial number) → where its checkpoints are.
        study: What no other study is called.
        silence: Seconds without a record after which a trial's process is ended; none finds them out.
        patience: Waits for a disk that is full.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; trials were stopped after their current epoch.
        Exception: The first fault inside the program (a store that cannot be written, say).
    """
    bridge = Bridge(program, place_of, study, patience)
    with _actors(shared, resources, silence) as trainable:
        _fit(trainable, bridge, resources, silence)
    if bridge.fault is not None:
        raise bridge.fault
    if bridge.stopping.is_set():
        raise Interrupted


@contextmanager
def _actors(shared: Shared, resources: Resources, silence: float | None) -> Iterator[Any]:
    """What Ray is to run: workers, those that lead others, or guests and the hosts that they train at."""
    cores = resources.cpus_per_trial
    if resources.processes > 1:
        from search.execution.crew import Leader

        leader = tune.with_parameters(Leader, shared=[ray.put(shared)])
        yield tune.with_resources(leader, tune.PlacementGroupFactory(resources.bundles, strategy="PACK"))
        return
    if resources.together == 1:
        needs = {"cpu": cores, "gpu": resources.gpus_per_trial}
        yield tune.with_resources(tune.with_parameters(Worker, shared=shared), needs)
        return
    from search.execution.guest import Guest
    from search.execution.host import hosts

    number = math.ceil(resources.workers / resources.together)
    gpus = round(resources.gpus_per_trial * resources.together)
    with hosts(number, resources.together, gpus) as started:
        guest = tune.with_parameters(Guest, hosts=started, shared=[ray.put(shared)], silence=silence)
        yield tune.with_resources(guest, {"cpu": cores})


def _fit(trainable: Any, bridge: Bridge, resources: Resources, silence: float | None) -> None:
    scratch = tempfile.mkdtemp(prefix="finetune-search-")
    tuner = Tuner(
        trainable,
        param_space={},
        tune_config=TuneConfig(
            search_alg=RaySearcher(bridge),
            scheduler=RayScheduler(bridge),
            num_samples=-1,
            max_concurrent_trials=_at_once(resources),
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=RunConfig(
            name="run",
            storage_path=scratch,
            verbose=0,
            callbacks=[RayCallback(bridge, Watch(silence))],
            failure_config=FailureConfig(
                max_failures=0
            ),  # who is tried again, and how often, is the program's
            checkpoint_config=CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
        ),
    )
    try:
        with _quiet(), _stopping_by_signal(bridge):
            tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _at_once(resources: Resources) -> int:
    """Trials that Ray is given.

    One more than there is room for: the next trial waits for a warm actor. With none waiting, Ray may end the actor,
    and the next trial would pay for a new one and its imports. Where there is room for it, it would run.
    """
    there = ray.cluster_resources()
    room = there.get("CPU", 0.0) / resources.cpus_per_trial
    if resources.gpus_per_trial and resources.together == 1:
        room = min(room, there.get("GPU", 0.0) / resources.gpus_per_trial + 1e-9)
    return resources.workers + (int(room) == resources.workers)


def _name(trial: Any) -> str:
    return f"{trial.config['phase']}-{trial.config['number']}-{trial.trial_id}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray Tune's own words are about its trials; the user is told of the study's."""
    loggers = [logging.getLogger(name) for name in ("ray", "ray.tune", "ray.data", "ray.train")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _stopping_by_signal(bridge: Bridge) -> Iterator[None]:
    """Once: stop after the current epochs. Twice: at once. Ray's own handler would end `fit` as if done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        if bridge.stopping.is_set():
            raise Interrupted
        bridge.stopping.set()

    before = {which: signal.signal(which, stop) for which in (signal.SIGINT, signal.SIGTERM)}
    import os

    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    try:
        yield
    finally:
        del os.environ["TUNE_DISABLE_SIGINT_HANDLER"]
        for which, handler in before.items():
            signal.signal(which, handler)
