"""What a study costs beyond its arithmetic: wall-clock of `run` over that of its training steps alone.

A run of the default study, command line to answer, is timed from outside. Then the very steps that its trials
and confirmations took (same recipes, batches, frozen layers, arithmetic, numbers of steps) are made again on
batches that are already there, by as many processes of one thread as the study had workers, and nothing else: no
data, no augmentation, no validation, no checkpoint, no store, no Ray; the start of these processes is not counted.
The two are made in turn, since machines drift.

    python benchmarks/overhead.py [--runs 3] [--study digits] [-- further arguments of `run`]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import _package  # noqa: F401
import optuna

from search import Store, Study
from search.execution.cluster import ALLOCATOR
from search.execution.resources import available_cores
from search.ledger import records_of
from search.register import SETTLED, confirm_name
from search.store.databases import open_storage

Work = tuple[dict[str, Any], int, int]
"""A training: its recipe, its seed, how many epochs of it were trained."""


def timed_study(study: str, arguments: list[str], root: Path) -> float:
    """Seconds that the command takes."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "search", "run", study, "--store", str(root), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "CI": "true"},
    )
    if done.returncode:
        sys.exit(f"the study failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - began


def work_of(store: Store, study: str) -> tuple[list[Work], dict[str, Any]]:
    """What the study trained, and the arithmetic that it had settled on."""
    storage = open_storage(store)
    work: list[Work] = []
    for name in (study, confirm_name(study)):
        for trial in optuna.load_study(study_name=name, storage=storage).trials:
            work.append((trial.params, trial.user_attrs["seed"], len(records_of(trial))))
    settled = optuna.load_study(study_name=study, storage=storage).user_attrs[SETTLED]
    return sorted(work, key=lambda one: -one[2]), settled


def bare_steps(study: Study, settled: dict[str, Any], queue: Any, ready: Any, go: Any) -> None:
    """One process: the steps of whatever training comes next, until there is none."""
    import torch

    from trainables.builder import from_params
    from trainables.data import load_dataset
    from trainables.material import prepare

    torch.set_num_threads(1)
    fixed = study.spec.fixed().model_copy(update=settled)
    material = prepare(load_dataset(study.spec.data, study.spec.split_seed), fixed)
    ready.release()
    go.wait()
    while (work := queue.get()) is not None:
        params, seed, epochs = work
        trainable = from_params(params, fixed, seed, material)
        rows = torch.arange(trainable.plan.batch)
        for epoch in range(1, epochs + 1):
            trainable.parts.strategy.on_epoch(trainable.model, epoch)
            trainable._laps.begin()
            course = trainable._enter((epoch - 1) / trainable.plan.epochs)  # images, or stored features
            inputs, targets = course.batch(rows, trainable._laps)
            for _ in range(trainable.steps_per_epoch):
                trainable.optimizer.zero_grad(set_to_none=True)
                course.gradients(inputs, targets)
                trainable.scaler.step(trainable.optimizer)
                trainable.scaler.update()


def timed_steps(study: Study, store: Store, workers: int) -> float:
    """Seconds that the study's steps take by themselves."""
    work, settled = work_of(store, study.spec.name)
    context = multiprocessing.get_context("spawn")
    queue, ready, go = context.Queue(), context.Semaphore(0), context.Event()
    for one in [*work, *[None] * workers]:
        queue.put(one)
    os.environ.update(ALLOCATOR)  # the same for both: what the allocator costs is not the subject here
    processes = [
        context.Process(target=bare_steps, args=(study, settled, queue, ready, go)) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    began = time.perf_counter()
    go.set()
    for process in processes:
        process.join()
        if process.exitcode:
            sys.exit("a process of bare steps failed")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--study", default="digits")
    parser.add_argument("arguments", nargs="*", help="further arguments of `run`, after --")
    options = parser.parse_args()
    print(
        "| run | study, s | its steps alone, s | ratio | epochs | workers |\n|---|---|---|---|---|---|",
        flush=True,
    )
    ratios = []
    for run in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "mlruns")
            wall = timed_study(options.study, options.arguments, store.root)
            study = Study.load(options.study, store=store)
            workers = study.spec.workers or available_cores()
            steps = timed_steps(study, store, workers)
            trained = sum(epochs for _, _, epochs in work_of(store, study.spec.name)[0])
        ratios.append(wall / steps)
        print(
            f"| {run + 1} | {wall:.1f} | {steps:.1f} | {wall / steps:.2f} | {trained} | {workers} |",
            flush=True,
        )
    print(
        f"\nmedian **{statistics.median(ratios):.2f}**, {min(ratios):.2f} to {max(ratios):.2f}, n = {len(ratios)}: "
        f"{statistics.median(1 / ratio for ratio in ratios):.0%} of the wall-clock is the networks' own steps"
    )


if __name__ == "__main__":
    main()
