"""What searchers and schedulers find for the same budget: `python benchmarks/search.py`.

Simulated time, decisions of the real code. Regret is 1 for a median random recipe and 0 for the best known; below 0
a recipe was found that is better than the best known. Every method sees the same tasks and seeds; a row's spread is
the standard deviation of its mean over seeds. The reference is Ray's ASHA (η = 3) on random recipes.

    python benchmarks/search.py                                  # all tasks and methods, 15 seeds
    python benchmarks/search.py --seeds 3 --tasks families       # a look
    python benchmarks/search.py --only reference default --rows  # every task
    python benchmarks/search.py --keep found.jsonl               # a run that was cut off, or is to have more seeds
    python benchmarks/search.py --reachable                      # regret 0 is what a long climb reaches

What is kept is read again as it is: keep anew when the code has changed.

The best known of a recorded task is the luckiest of its recordings. Any other recipe is a mean of several of them, so
a search may come near it only where it proposes that very recipe. `--reachable` measures against what a climb of 3,500
trainings at full length finds, of every task alike, the noise of made-up ones included.

Tasks: the LCBench tables beside the repository (`../shared/curves`, left out with a message where they are not there),
what the project's own core gave (`search/simulation/recorded`, by `benchmarks/record.py`), the made-up families of
`search.simulation.families`, and, where it is asked for (`--tasks studies`), what the trials of twenty real studies of
`digits` gave (`benchmarks/curves`, by `benchmarks/studies.py --time 120`): 1,283 recipes of the preset `finetune`, of
which 328 were trained to their end.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import _package  # noqa: F401
import numpy as np
import pandas as pd
from optuna.samplers import TPESampler

from search.decisions.history import Status
from search.encoding import Encoding
from search.searchers.sampled import Sampled
from search.simulation import simulate
from search.simulation.curves import Curve, Task, task_from
from search.simulation.families import FAMILIES, made_up
from search.simulation.tables import built_in_tables, load_table
from spaces import Float, Int, SearchSpace

CURVES = Path(__file__).parents[2] / "shared" / "curves"
LCBENCH = SearchSpace(
    {
        "batch_size": Int(16, 512, log=True),
        "learning_rate": Float(1e-4, 0.1, log=True),
        "momentum": Float(0.1, 0.99),
        "weight_decay": Float(1e-5, 0.1),
        "num_layers": Int(1, 5),
        "max_units": Int(64, 1024, log=True),
        "max_dropout": Float(0, 1),
    }
)
STUDIES = Path(__file__).parent / "curves"
GROUPS = ["lcbench", "recorded", "families"]
SHARES = (0.25, 0.5, 1.0)
REFERENCE = "Ray's ASHA, η = 3, random (reference)"


class AsDocumented(Sampled):
    """Optuna's sampler as Ray's OptunaSearch feeds it: a stopped trial is told as if it were complete."""

    def __init__(self, seed: int) -> None:
        super().__init__(lambda own: TPESampler(seed=own), seed)

    def _follow(self, study: Any, history: Any, run: Any) -> None:
        told = replace(run, status=Status.COMPLETE) if run.status is Status.STOPPED else run
        super()._follow(study, history, told)


METHODS: dict[str, Callable[[int], dict[str, Any]]] = {
    REFERENCE: lambda seed: {"searcher": "random", "scheduler": "asha"},
    "default": lambda seed: {},
    "random, full length": lambda seed: {"searcher": "random", "scheduler": "none"},
    "Optuna's TPE, full length": lambda seed: {"searcher": "tpe", "scheduler": "none"},
    "Ray's ASHA + OptunaSearch as documented (η = 4, grace 1)": lambda seed: {
        "searcher": AsDocumented(seed),
        "scheduler": "asha",
        "eta": 4,
    },
    "Optuna's TPE, three brackets": lambda seed: {"searcher": "tpe", "scheduler": "hyperband"},
    "Optuna's TPE, Ray's ASHA, stopped trials told as such": lambda seed: {
        "searcher": "tpe",
        "scheduler": "asha",
    },
    "Ray's ASHA, η = 4, random": lambda seed: {"searcher": "random", "scheduler": "asha", "eta": 4},
    "Ray's ASHA, three brackets, random": lambda seed: {"searcher": "random", "scheduler": "hyperband"},
    "promotion, random": lambda seed: {"searcher": "random", "scheduler": "promotion"},
    "promotion, Optuna's TPE": lambda seed: {"searcher": "tpe", "scheduler": "promotion"},
    "Optuna's TPE, default scheduler": lambda seed: {"searcher": "tpe"},
    "Optuna's GP, full length": lambda seed: {"searcher": "gp", "scheduler": "none"},
    "Optuna's GP, Ray's ASHA, stopped trials told as such": lambda seed: {
        "searcher": "gp",
        "scheduler": "asha",
    },
    "Optuna's GP, three brackets": lambda seed: {"searcher": "gp", "scheduler": "hyperband"},
    "promotion, Optuna's GP": lambda seed: {"searcher": "gp", "scheduler": "promotion"},
    "Optuna's GP, default scheduler": lambda seed: {"searcher": "gp"},
    "default searcher, Ray's ASHA": lambda seed: {"scheduler": "asha"},
    "default searcher, three brackets": lambda seed: {"scheduler": "hyperband"},
    "default searcher, full length": lambda seed: {"scheduler": "none"},
    "default searcher, promotion by score": lambda seed: {"scheduler": "promotion"},
    "random, default scheduler": lambda seed: {"searcher": "random"},
}


@cache
def lcbench(name: str) -> Task:
    """One of the tables, as a function of any configuration."""
    table = pd.read_parquet(CURVES / f"{name}.parquet")
    whole = {"batch_size", "num_layers", "max_units"}
    recipes = [
        {key: int(row[key]) if key in whole else float(row[key]) for key in LCBENCH.leaves()}
        for row in table.to_dict("records")
    ]
    scores = table[[f"epoch_{epoch}" for epoch in range(1, 52)]].to_numpy(float)
    return task_from(name, LCBENCH, recipes, scores, table["seconds_per_epoch"].to_numpy(float))


@cache
def task(name: str) -> Task:
    """A task by its name."""
    if name in FAMILIES:
        return made_up(name)
    if (STUDIES / f"{name}.parquet").exists():
        return load_table(str(STUDIES / f"{name}.parquet")).task()
    return load_table(name).task() if name in built_in_tables() else lcbench(name)


def climbed(space: SearchSpace, curve: Curve, drawn: int = 1500, steps: int = 10, each: int = 200) -> float:
    """The best score that a climb finds which trains `drawn` random recipes at full length, then `each` a step."""
    encoding, rng = Encoding(space), np.random.default_rng(0)

    def best_scores(points: np.ndarray) -> np.ndarray:
        return np.array([np.nanmax(curve(encoding.decode(point))[0]) for point in points])

    points = encoding.draw(rng, drawn)
    scores = best_scores(points)
    for _ in range(steps):
        top = np.argsort(-scores, kind="stable")[:20]
        points, scores = points[top], scores[top]
        parents = points[rng.integers(len(points), size=each)]
        moved = rng.random(parents.shape) < rng.choice([0.2, 0.5, 1.0], (each, 1))
        far = 10 ** rng.uniform(-2, -0.5, (each, 1)) * rng.standard_normal(parents.shape)
        tried = encoding.tidy(np.clip(parents + moved * far, 0, 1))
        points, scores = np.vstack([points, tried]), np.concatenate([scores, best_scores(tried)])
    return float(scores.max())


def reachable(name: str) -> float:
    """The best score that a climb of 3,500 trainings finds."""
    return climbed(task(name).space, task(name).curve)


def task_names(groups: list[str]) -> list[str]:
    """The tasks of the groups that are here."""
    names: list[str] = []
    if "lcbench" in groups:
        found = sorted(path.stem for path in CURVES.glob("lcbench-*.parquet"))
        if not found:
            print("left out: the LCBench tables, which are not here")
        names += found
    if "recorded" in groups:
        names += built_in_tables()
    if "families" in groups:
        names += list(FAMILIES)
    if "studies" in groups:
        names += sorted(path.stem for path in STUDIES.glob("*.parquet"))
    return names


Job = tuple[str, str, int, int, int]
"""Task, method, seed, simulated workers, budget in trainings."""


def regrets(job: Job) -> list[float]:
    """Of one search, at the shares of its budget."""
    return regrets_on(task(job[0]), job)


def regrets_on(about: Task, job: Job) -> list[float]:
    """The same on a task that is not among those of this script."""
    _, method, seed, workers, trainings = job
    budget = trainings * about.max_epochs
    found = simulate(
        about.space, about.curve, about.max_epochs, budget, workers, seed=seed, **METHODS[method](seed)
    )
    return [about.regret(found.best_at(share * budget)) for share in SHARES]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=15)
    parser.add_argument("--workers", type=int, default=4, help="simulated ones")
    parser.add_argument("--trainings", type=int, default=30, help="budget, in trainings of full length")
    parser.add_argument("--tasks", nargs="+", choices=[*GROUPS, "studies"], default=GROUPS)
    parser.add_argument("--only", nargs="+", help="methods of these names, or whose name contains one")
    parser.add_argument("--keep", type=Path, help="a file that keeps what was found, a line a search")
    parser.add_argument("--rows", action="store_true", help="a row per task too")
    parser.add_argument("--reachable", action="store_true", help="regret 0 is what a long climb reaches")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    names = task_names(given.tasks)
    methods = [
        method
        for method in METHODS
        if not given.only or method == REFERENCE or any(chosen(method, part) for part in given.only)
    ]
    jobs: list[Job] = [
        (name, method, seed, given.workers, given.trainings)
        for method in methods
        for name in names
        for seed in range(given.seeds)
    ]
    found = searched(jobs, given.jobs, given.keep)
    table = np.array([found[job] for job in jobs]).reshape(len(methods), len(names), given.seeds, len(SHARES))
    if given.reachable:
        with multiprocessing.Pool(given.jobs) as pool:
            tops = np.array(pool.map(reachable, names, chunksize=1))
        # The regret of what the climb found, as the others are measured; then it is 0, and a median recipe stays at 1.
        floor = np.array([task(name).regret(top) for name, top in zip(names, tops, strict=True)])
        reached = ", ".join(f"{name} {at:.3f}" for name, at in zip(names, floor, strict=True))
        print(f"what the climb reaches: {reached}")
        floor = floor[None, :, None, None]
        table = (table - floor) / (1 - floor)
    print(
        f"\n{len(names)} tasks, {given.seeds} seeds, {given.workers} workers, budget {given.trainings} trainings\n"
    )
    show(table, methods)
    if given.rows:
        show_rows(table, methods, names)


def searched(
    jobs: list[Job], processes: int, keep: Path | None, search: Callable[[Job], list[float]] = regrets
) -> dict[Job, list[float]]:
    """What each job found; what the file has already is not searched for again."""
    lines = keep.read_text().splitlines() if keep and keep.exists() else []
    found: dict[Job, list[float]] = {tuple(job): values for job, values in map(json.loads, lines)}
    missing = [job for job in jobs if job not in found]
    with multiprocessing.Pool(processes) as pool:
        for job, values in zip(missing, pool.imap(search, missing, chunksize=1), strict=True):
            found[job] = values
            if keep:
                with keep.open("a") as file:
                    file.write(json.dumps([job, values]) + "\n")
    return found


def chosen(method: str, part: str) -> bool:
    """Whether a method is meant: by its name, else by a part of it."""
    return method == part if part in METHODS else part in method


def show(table: np.ndarray, methods: list[str]) -> None:
    """Mean regret of each method over all tasks, against the reference."""
    means = table.mean(axis=(1, 2))
    spread = table.mean(axis=1).std(axis=1, ddof=min(1, table.shape[2] - 1)) / np.sqrt(table.shape[2])
    ranks = table.mean(axis=2)[:, :, -1].argsort(axis=0).argsort(axis=0).mean(axis=1) + 1
    print("| method | regret at 25 / 50 / 100 % | ± | of the reference's | worst task | rank |")
    print("|---|---|---|---|---|---|")
    per_task = table.mean(axis=2)
    for index in np.argsort(means[:, -1]):
        of = means[index] / means[0]
        worse = (per_task[index] - per_task[0])[:, -1].max()
        print(
            f"| {methods[index]} | {' / '.join(f'{value:.3f}' for value in means[index])} "
            f"| {spread[index, -1]:.3f} | {of[1]:.2f} / {of[2]:.2f} | {worse:+.3f} | {ranks[index]:.1f} |"
        )


def show_rows(table: np.ndarray, methods: list[str], names: list[str]) -> None:
    """Every task: 50 % and 100 % of the budget."""
    per_task = table.mean(axis=2)
    print("\n| task | " + " | ".join(methods) + " |")
    print("|---" * (len(methods) + 1) + "|")
    for column, name in enumerate(names):
        cells = [f"{row[column, 1]:.3f} / {row[column, 2]:.3f}" for row in per_task]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
