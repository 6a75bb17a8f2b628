"""How many records a second the driver can take: `python benchmarks/driver.py`.

All that the driver of a study does with a record is done (decisions, ledger, MLflow, the lines of its log), on the
real databases, with records of the size that the core makes; only Ray and the training are not there, so what is
counted is what is taken from the cores that train. Trials and records come in turn from so many imagined workers. The
account says which part took how much processor time (MLflow's is its thread's), and what the memory grew by. Records
come as fast as they are taken, or so many a second; in the first case what MLflow has not been told yet is in memory.

    python benchmarks/driver.py                          # 2,000 records of the default study, 8 workers
    python benchmarks/driver.py --rate 50                # 50 a second
    python benchmarks/driver.py --records 10000 --searcher random --scheduler asha
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import _package  # noqa: F401
import numpy as np
import psutil

from search import Store, Study
from search.agenda import Agenda
from search.checkpoints import CONFIRM, PERTURB, SEARCH, Checkpoints
from search.decisions.listener import Listeners
from search.execution.resources import Resources
from search.recording import Recording
from search.view.lines import LineView
from trainables.config import Fixed
from trainables.protocol import EpochRecord

METRICS = [
    "train/loss", "train/accuracy", "train/grad_norm", "train/grad_norm_max", "train/update_ratio", "train/near_zero",
    "train/skipped_steps", "train/passes", "train/micro_batch", "lr", *(f"lr/layer_{i}" for i in range(8)),
    "images_per_second", "train_seconds", "val/loss", "val/accuracy", "val/ece", "gap/loss", "gap/accuracy",
    "memory/peak_mb", "seconds/arithmetic", "seconds/data", "seconds/augmentation", "seconds/validation",
    "seconds/other", "seconds/driver", "seconds/checkpoint", "epoch_seconds",
]  # fmt: skip
"""What the core reports of an epoch of a network of eight layers."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--rate", type=float, help="records a second; else as fast as they are taken")
    parser.add_argument("--searcher", default="default")
    parser.add_argument("--scheduler", default="default")
    parser.add_argument("--space", default="recipe")
    parser.add_argument(
        "--profile", action="store_true", help="where the main thread's time went, by function"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(given, Store(Path(folder) / "mlruns"))


def run(given: argparse.Namespace, store: Store) -> None:
    """One study of so many records, and what it took."""
    from search import register
    from search.quiet import hushed_optuna
    from search.store.databases import prepare

    study = Study.load(
        "digits", store=store, name="driver", space=given.space, narrow={}, searcher=given.searcher,
        scheduler=given.scheduler, trials=10**6, finalists=0, registered=False,
    )  # fmt: skip
    space, fixed = study.spec.search_space(), study.spec.fixed()
    prepare(store)
    ledger = register.open_ledger(store, study.spec, space, study.spec.name)
    register.enter(ledger, study.spec)
    random = np.random.default_rng(0)
    ledgers = {SEARCH: ledger}
    for phase, name in (
        (CONFIRM, register.confirm_name("driver")),
        (PERTURB, register.perturb_name("driver")),
    ):
        ledgers[phase] = register.read_ledger(store, name, space)
    resources = Resources(given.workers, 1, 0.0)
    agenda = Agenda(study.spec, store, ledgers, workers=given.workers)
    with (
        hushed_optuna(),
        open("/dev/null", "w") as nowhere,
        Recording(
            store, study.spec, space, Fixed(**fixed.model_dump()), agenda.ledgers, LineView(nowhere)
        ) as recording,
    ):
        program = agenda.program(
            1, recording, Listeners(recording, Checkpoints(store, "driver")), agenda.budget(resources)
        )
        process = psutil.Process()
        waits: list[float] = []
        living: dict[tuple[str, int], int] = {}
        finals: dict[int, float] = {}
        began, cpu = time.perf_counter(), time.process_time()
        thread, memory = time.thread_time(), 0.0
        profile = cProfile.Profile()
        if given.profile:
            profile.enable()
        records = 0
        while records < given.records:
            while len(living) < given.workers:
                before = time.perf_counter()
                job = program.next()
                waits.append(time.perf_counter() - before)
                assert job is not None
                living[job.phase, job.assignment.number] = job.assignment.known
            for phase, number in list(living):
                epoch = living[phase, number] = living[phase, number] + 1
                final = finals.setdefault(number, float(random.uniform(0.3, 0.98)))
                score = final * (1 - 0.6**epoch) + float(random.normal(0, 0.01))
                if given.rate:
                    time.sleep(max(0.0, began + records / given.rate - time.perf_counter()))
                metrics = dict.fromkeys(METRICS, 0.123456789 + epoch)
                record = EpochRecord(epoch, score, {**metrics, "epoch_seconds": 0.3})
                before = time.perf_counter()
                decision = program.on_record(phase, number, record)
                waits.append(time.perf_counter() - before)
                records += 1
                if decision.name != "CONTINUE":
                    del living[phase, number]
                if records == given.records // 5:
                    memory = process.memory_info().rss
        profile.disable()
        main_wall, main_cpu = time.perf_counter() - began, time.thread_time() - thread
        while not recording.flush():
            pass
        wall, whole = time.perf_counter() - began, time.process_time() - cpu
        grown = (process.memory_info().rss - memory) / 2**20
        late = quantiles(waits, n=20)[-1]
        print(
            "| records | trials | records a second, all written | main thread, ms a record | all threads, ms a record "
            "| 95 % of answers within | memory since the first fifth |\n|---|---|---|---|---|---|---|\n"
            f"| {records} | {len(finals)} | {records / wall:.0f} | {1e3 * main_cpu / records:.1f} "
            f"| {1e3 * whole / records:.1f} | {1e3 * late:.0f} ms | {grown:+.0f} MiB |",
            flush=True,
        )
        print(f"\n(The main thread was done after {main_wall:.1f} s, MLflow after {wall:.1f} s.)")
    if given.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
