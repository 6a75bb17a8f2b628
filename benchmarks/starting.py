"""From one trial's last step to the next one's first, on one worker: `python benchmarks/starting.py`.

A study on the real Ray, Optuna and MLflow, of one worker and many short trials; its trainable is the core, with a clock
around each step. Between two trials there are: the last epoch's validation and report, its checkpoint, the driver's
decision, Ray's way there and back, and the network of the next trial. What the worker says of the last three
(`driver`, `start`) is shown beside the whole.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import _package  # noqa: F401

from search import Store, Study

LOG = "FINETUNE_SEARCH_BENCHMARK_LOG"


def make(params: Any, fixed: Any, seed: int, material: Any) -> Any:
    """The core's trainable with a clock; what the study's spec names."""
    from trainables.builder import from_params

    trainable = from_params(params, fixed, seed, material)
    step = trainable._step

    def timed(inputs: Any, targets: Any) -> Any:
        began = time.time()
        figures = step(inputs, targets)
        with open(os.environ[LOG], "a") as file:
            file.write(f"{os.getpid()} {seed} {began} {time.time()}\n")
        return figures

    trainable._step = timed
    return trainable


def gaps(lines: list[str]) -> list[float]:
    """Milliseconds between the last step of a trial and the first of the next in the same process."""
    steps: dict[str, list[tuple[float, float, str]]] = {}
    for line in lines:
        process, seed, began, ended = line.split()
        steps.setdefault(process, []).append((float(began), float(ended), seed))
    return [
        1e3 * (after[0] - before[1])
        for one in steps.values()
        for before, after in pairwise(sorted(one))
        if before[2] != after[2]
    ]


def main() -> None:
    """One study, and the gaps in it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--searcher", default="default")
    parser.add_argument("--study", default="digits")
    given = parser.parse_args()
    here = Path(__file__).resolve().parent
    os.environ["PYTHONPATH"] = os.pathsep.join([str(here.parent), str(here)])  # in this order, see `_package`
    sys.path.append(str(here))
    with tempfile.TemporaryDirectory() as folder:
        os.environ[LOG] = f"{folder}/steps.log"
        study = Study.load(
            given.study, store=Store(Path(folder) / "mlruns"), trainable="starting:make", trials=given.trials,
            epochs=given.epochs, finalists=0, registered=False, workers=1, searcher=given.searcher, scheduler="none",
        )  # fmt: skip
        frame = study.run().dataframe()
        found = sorted(gaps(Path(os.environ[LOG]).read_text().splitlines()))
    later = frame.iloc[1:]  # the first one's process had to be started
    print("| gaps | median | 95th percentile | longest | building the network | Ray and the driver |")
    print("|---|---|---|---|---|---|")
    late = found[min(len(found) - 1, int(0.95 * len(found)))]
    parts = [
        f"{1e3 * statistics.median(later[f'seconds/{column}']):.0f} ms" for column in ("start", "driver")
    ]
    print(
        f"| {len(found)} | **{statistics.median(found):.0f} ms** | {late:.0f} ms | {found[-1]:.0f} ms | "
        f"{parts[0]} | {parts[1]} |"
    )


if __name__ == "__main__":
    main()
