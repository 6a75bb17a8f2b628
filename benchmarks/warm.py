"""What a warm start gains, and what one costs that misleads: `python benchmarks/warm.py`.

On simulated time, decisions of the real code. A search begins with what a search of another task of the same space saw
(20 full trainings, the default): curves of `digits` for a search on `signs`, and the other way; one LCBench table for
another (where they are beside the repository); another landscape of the same made-up family, which has nothing to do
with this one. Mean regret with and without (1: a median random recipe, 0: the best known), and the difference, paired
by seed, with its standard error. The law: never more than a tenth worse than without.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from functools import cache

import _package
import numpy as np

from search.decisions.history import History
from search.simulation import simulate
from search.simulation.curves import Task
from search.simulation.families import made_up

SEEN = 20
"""Full trainings of the earlier search."""
SHARES = (0.25, 0.5, 1.0)


@cache
def task(name: str) -> Task:
    """A task; ``zoo#1`` is another landscape of the family ``zoo``."""
    family, _, seed = name.partition("#")
    return made_up(family, int(seed)) if seed else _package.script("search").task(name)


@cache
def seen(name: str, seed: int) -> History:
    """What an earlier search of a task saw."""
    about = task(name)
    return simulate(
        about.space, about.curve, about.max_epochs, SEEN * about.max_epochs, seed=1000 + seed
    ).runs


def regrets(job: tuple[str, str, int, int]) -> list[float]:
    """Without, then with, at the shares of the budget."""
    name, earlier, seed, trainings = job
    about = task(name)
    budget = trainings * about.max_epochs
    found = []
    for memory in ([], [seen(earlier, seed)]):
        search = simulate(about.space, about.curve, about.max_epochs, budget, seed=seed, memory=memory)
        found += [about.regret(search.best_at(share * budget)) for share in SHARES]
    return found


def pairs() -> list[tuple[str, str]]:
    """Tasks, and what a search of them may have seen before."""
    found = [("digits", "signs"), ("signs", "digits")]
    tables = _package.script("search").task_names(["lcbench"])
    found += [(name, tables[index - 1]) for index, name in enumerate(tables)]
    return found + [(name, f"{name}#1") for name in ("smooth", "crossing", "noisy", "late", "zoo")]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trainings", type=int, default=15, help="budget, in trainings of full length")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    chosen = pairs()
    jobs = [(name, earlier, seed, given.trainings) for name, earlier in chosen for seed in range(given.seeds)]
    with multiprocessing.Pool(given.jobs) as pool:
        found = np.array(pool.map(regrets, jobs, chunksize=1))
    table = found.reshape(len(chosen), given.seeds, 2, len(SHARES))
    print(f"\n{given.seeds} seeds, budget {given.trainings} trainings; regret at 25 / 50 / 100 % of it\n")
    print("| task | after | without | with | difference at the end |")
    print("|---|---|---|---|---|")
    for (name, earlier), row in zip(chosen, table, strict=True):
        show(name, earlier, row)
    for label, of in (("related", slice(0, len(chosen) - 5)), ("unrelated", slice(len(chosen) - 5, None))):
        show(f"mean, {label}", "", table[of].mean(axis=0))


def show(name: str, earlier: str, row: np.ndarray) -> None:
    """One line: shape (seeds, without and with, shares)."""
    gap = row[:, 1, -1] - row[:, 0, -1]
    error = gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else np.nan
    without, with_memory = (" / ".join(f"{value:.3f}" for value in part) for part in row.mean(axis=0))
    print(f"| {name} | {earlier} | {without} | {with_memory} | {gap.mean():+.3f} ± {error:.3f} |")


if __name__ == "__main__":
    main()
