"""The default against Ray's ASHA on LCBench's surrogates, which the repository does not hold.

    uv pip install onnxruntime
    python benchmarks/surrogates.py --data yahpo_data/lcbench --tasks held_out

A network gives the learning curve of any configuration on each of LCBench's data sets; what it is asked, and in which
order, is here. `developed` are the tasks that the default was developed on, beside those of `benchmarks/search.py`;
`held_out` are those that were not looked at before it was finished. Regret is 1 for a median random recipe and 0 for
the best that a climb of 24,000 trainings finds.

Data: `lcbench/model.onnx` and `lcbench/encoding.json` of github.com/slds-lmu/yahpo_data.
Source: Pfisterer et al., YAHPO Gym, AutoML 2022; Zimmer et al., Auto-PyTorch Tabular, TPAMI 2021 (LCBench).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
from functools import cache, partial
from pathlib import Path
from typing import Any

import _package
import numpy as np

from search.simulation.curves import Task
from spaces import Params
from spaces.suggest import random_suggest

bench = _package.script("search")

EPOCHS = 51
DEVELOPED = (
    "3945", "7593", "126025", "126026", "167184", "167190", "167201", "168330", "168910", "189354", "189862", "189873",
)  # fmt: skip
HELD_OUT = (
    "34539", "126029", "146212", "167104", "167149", "167161", "167185", "167200", "168331", "168335", "168868",
    "168908", "189866", "189905",
)  # fmt: skip
ASKED = ("batch_size", "learning_rate", "momentum", "weight_decay", "num_layers", "max_units", "max_dropout")
"""In the order in which the network takes them, after the epoch."""
ACCURACY = 1
"""Which of its outputs is the accuracy on the validation split, percent."""


class Surrogate:
    """Curves of one of LCBench's data sets.

    Args:
        data: Folder with `model.onnx` and `encoding.json`.
        name: The data set's number at OpenML.
    """

    def __init__(self, data: Path, name: str) -> None:
        self._network = network(data)
        self._code = json.loads((data / "encoding.json").read_text())["OpenML_task_id"][name]

    def __call__(self, params: Params) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy after each epoch, from 0 to 100, and a second for each."""
        recipe = [float(params[name]) for name in ASKED]
        numbers = np.array([[epoch, *recipe] for epoch in range(1, EPOCHS + 1)], dtype=np.float32)
        codes = np.full((EPOCHS, 1), self._code, dtype=np.int32)
        given = {one.name: codes if "int" in one.type else numbers for one in self._network.get_inputs()}
        return self._network.run(None, given)[0][:, ACCURACY].astype(float), np.ones(EPOCHS)


@cache
def network(data: Path) -> Any:
    """The network, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(data / "model.onnx", options)


def ends(data: Path, name: str) -> tuple[float, float]:
    """The best and the median of a data set, which regrets are measured by."""
    curve = Surrogate(data, name)
    drawn = (bench.LCBENCH.draw(random_suggest(random.Random(seed))) for seed in range(2000))
    median = float(np.median([curve(params)[0].max() for params in drawn]))
    return bench.climbed(bench.LCBENCH, curve, drawn=4000, steps=40, each=500), median


@cache
def task(data: Path, name: str, best: float, median: float) -> Task:
    """A data set as a task."""
    return Task(name, bench.LCBENCH, Surrogate(data, name), EPOCHS, best, median)


def regrets(data: Path, known: dict[str, tuple[float, float]], job: Any) -> list[float]:
    """Of one search."""
    return bench.regrets_on(task(data, job[0], *known[job[0]]), job)


def main() -> None:
    """Print the table, and a row per task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with model.onnx and encoding.json")
    parser.add_argument("--tasks", choices=["developed", "held_out"], default="held_out")
    parser.add_argument("--seeds", type=int, default=15)
    parser.add_argument("--workers", type=int, default=4, help="simulated ones")
    parser.add_argument("--trainings", type=int, default=30, help="budget, in trainings of full length")
    parser.add_argument("--keep", type=Path, help="a file that keeps what was found, a line a search")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    missing = [name for name in ("model.onnx", "encoding.json") if not (given.data / name).exists()]
    if missing:
        parser.error(f"--data must be a folder that holds {' and '.join(missing)}, but got {given.data}")
    names = DEVELOPED if given.tasks == "developed" else HELD_OUT
    with multiprocessing.Pool(given.jobs) as pool:
        known = dict(zip(names, pool.map(partial(ends, given.data), names, chunksize=1), strict=True))
    methods = [bench.REFERENCE, "default"]
    jobs = [
        (name, method, seed, given.workers, given.trainings)
        for method in methods
        for name in names
        for seed in range(given.seeds)
    ]
    found = bench.searched(jobs, given.jobs, given.keep, partial(regrets, given.data, known))
    shape = (len(methods), len(names), given.seeds, len(bench.SHARES))
    table = np.array([found[job] for job in jobs]).reshape(shape)
    print(
        f"\n{len(names)} surrogates, {given.seeds} seeds, {given.workers} workers, {given.trainings} trainings\n"
    )
    bench.show(table, methods)
    bench.show_rows(table, methods, list(names))


if __name__ == "__main__":
    main()
