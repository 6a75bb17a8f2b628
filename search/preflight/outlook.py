"""What a study will take, from what an epoch costs here."""

from __future__ import annotations

import math
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.answer.race import most_trainings
from search.execution.cores import MIB, ROOM, free_memory
from search.execution.resources import Resources
from search.spec import StudySpec
from search.view import words
from spaces import Params, SearchSpace
from trainables.preflight.cost import Cost
from trainables.preflight.result import Result, passed, warning

FEWEST = 3
"""Whole trainings that a search must have room for to be called one."""


@dataclass(frozen=True)
class Outlook:
    """The forecast.

    Args:
        trials: That begin, about.
        search: Epochs of the search, about.
        confirmation: Epochs of the confirmation, at most.
        epoch: Seconds of an epoch of the first recipe.
        seconds: Of the whole study, about.
        trials_an_hour: Of the search.
        memory: Of all trials that train at once, bytes.
        disk: Of checkpoints, bytes, at most.
    """

    trials: int
    search: float
    confirmation: float
    epoch: float
    seconds: float
    trials_an_hour: float
    memory: float
    disk: float


def outlook(spec: StudySpec, space: SearchSpace, grace: int, cost: Cost, resources: Resources) -> Outlook:
    """What the study will take if its recipes cost what the first does.

    Args:
        spec: The study.
        space: Its space.
        grace: First rung, epochs.
        cost: Of an epoch of the first recipe, by itself.
        resources: Of its trials.
    """
    trials, epochs = searched(spec, space, grace, resources.workers)
    confirmation = float(most_trainings(spec.finalists, spec.finalist_seeds) * spec.budget)
    limit = math.inf if spec.time is None else spec.time * resources.workers / max(cost.epoch, 1e-9)
    if spec.gpu_hours is not None and resources.gpus_per_trial:
        limit = min(limit, 3600 * spec.gpu_hours / resources.gpus_per_trial / max(cost.epoch, 1e-9))
    if spec.budget_epochs is not None:
        limit = min(limit, spec.budget_epochs)
    kept = min(confirmation, limit / 2)
    if epochs > limit - kept:
        trials = max(1, round(trials * (limit - kept) / epochs))
        epochs = limit - kept
        confirmation = kept
    seconds = (epochs + confirmation) * cost.epoch / resources.workers
    return Outlook(
        trials=trials,
        search=epochs,
        confirmation=confirmation,
        epoch=cost.epoch,
        seconds=seconds,
        trials_an_hour=3600 * trials * resources.workers / max(epochs * cost.epoch, 1e-9),
        memory=cost.memory * MIB * resources.workers,
        disk=float(cost.checkpoint) * 2 * (trials + most_trainings(spec.finalists, spec.finalist_seeds)),
    )


def searched(spec: StudySpec, space: SearchSpace, grace: int, workers: int) -> tuple[int, float]:
    """Trials and epochs of the search by its own scheduler, where only trials limit it, on made-up curves."""
    from search.simulation.simulate import simulate

    trials = spec.most_trials or 1000
    most = spec.budget
    if spec.trainings > 1 or spec.scheduler == "none":
        return trials, float(trials * most)
    runs = simulate(
        space, lambda params: _course(params, most), most, None, workers, "random", spec.scheduler,
        trials=trials, eta=spec.eta, grace=min(grace, most), finish=max(spec.finalists, 1),
    )  # fmt: skip
    return trials, float(len(runs.history))


def _course(params: Params, epochs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A rising curve that follows from the recipe: how many epochs a scheduler grants depends on little else."""
    random = np.random.default_rng(zlib.crc32(repr(sorted(params.items())).encode()))
    top, slow = random.uniform(0.4, 0.95), random.uniform(1, max(2.0, epochs / 3))
    scores = top * (1 - np.exp(-np.arange(1, epochs + 1) / slow)) + random.normal(0, 0.01, epochs)
    return scores, np.ones(epochs)


def judged(spec: StudySpec, told: Outlook, store: Path) -> Iterator[Result]:
    """Whether there is time, memory and disk for it."""
    figures = told.__dict__
    whole = words.clock(told.seconds)
    said = (
        f"an epoch takes {told.epoch:.2g} s: about {told.trials_an_hour:,.0f} trials an hour, and {whole} for "
        f"{told.trials} trials with the confirmation"
    )
    room = told.search / spec.budget
    if room < FEWEST and (spec.most_trials or math.inf) >= FEWEST:
        yield warning(
            "time", "budget_too_small",
            f"{said}: the budget leaves the search {told.search:.0f} epochs, which is {room:.1f} whole trainings",
            "Give it more (--time, --budget-epochs), shorten trials (--epochs), or confirm less (--set finalists=1).",
            **figures,
        )  # fmt: skip
    elif spec.trials is not None and told.trials < 0.9 * spec.trials:
        yield warning(
            "time", "budget_ends_first", f"{said}: the budget ends before {spec.trials} trials have begun",
            "Give it more, or take it as it is: the search ends by its budget.", **figures,
        )  # fmt: skip
    else:
        yield passed("time", said, **figures)
    fewer = "Let fewer train at once (--set workers=N)."
    elsewhere = "Make room, or keep the store elsewhere (--store)."
    yield _fits("memory", told.memory, free_memory(), "all trials that train at once", fewer)
    yield _fits("disk", told.disk, shutil.disk_usage(_there(store)).free, "checkpoints", elsewhere)


def _fits(name: str, wanted: float, free: float, what: str, remedy: str) -> Result:
    said = f"{what} take up to {words.size(wanted)}, {words.size(free)} are free"
    if wanted > ROOM * free:
        return warning(name, f"{name}_too_small", said, remedy, wanted=wanted, free=free)
    return passed(name, said, wanted=wanted, free=free)


def _there(path: Path) -> Path:
    """The folder, or the nearest above it that there is."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
