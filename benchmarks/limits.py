"""Whether a study ends within its limit, its confirmation included: whole studies on simulated time.

    python benchmarks/limits.py                     # a quarter of an hour
    python benchmarks/limits.py --seeds 3 --workers 4

The recipes of the recorded tables of `digits` and `signs` give scores and seconds, to which each seed adds its luck.
All else is the project's own: search, race, measurement and their ledgers. A limit is so many trainings of full length,
of epochs or of the seconds that a mean recipe's take on so many workers. `used` is what search and confirmation took of
it together, `within` how many studies no more than a hundredth above all of it; `search` what the search took. Where a
limit is too small that is said while the study runs.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
from collections import Counter

import _package  # noqa: F401
import numpy as np
import optuna

from search.answer.confirmation import Confirmation
from search.decisions.budget import Budget
from search.decisions.history import History
from search.decisions.kept import NOTHING
from search.decisions.listener import Listener
from search.decisions.phase import Phase
from search.decisions.policy import Policy
from search.decisions.program import Job, Program
from search.decisions.scheduler import Decision, NoScheduler
from search.ledger import Ledger, make_study
from search.policies import make_parts
from search.searchers.uniform import Uniform
from search.simulation.curves import Task
from search.simulation.tables import load_table
from trainables.protocol import EpochRecord
from trainables.seeds import derive_seed

TABLES = ("digits", "signs")
LIMITS = (20, 40, 80)
"""Trainings of full length."""
LUCK = 0.005
"""Spread of a seed's effect: of `digits` over seeds of the same recipe."""


class Told(Listener):
    """Whether it was said that the confirmation may take longer than the limit leaves."""

    short = False

    def on_shortage(self, phase: str, sentence: str) -> None:
        """It was."""
        self.short = True


class Study:
    """One study whose trainings are looked up.

    Args:
        task: What they give.
        limit: Trainings of full length that it may take.
        timed: Whether it is the time that they take, and not their epochs.
        workers: Trials at a time.
        seed: Of everything.
        keeps: Whether the confirmation is counted.
    """

    def __init__(
        self, task: Task, limit: int, timed: bool, workers: int, seed: int, usual: float, keeps: bool = True
    ) -> None:
        self._task, self._workers, self._seed = task, workers, seed
        self._clock = self._search_ends = 0.0
        self._epochs = {"search": 0, "confirm": 0}
        self._limit = limit * task.max_epochs * (usual / workers if timed else 1)
        ledgers = [
            Ledger(
                make_study(optuna.storages.InMemoryStorage(), name, optuna.samplers.RandomSampler(0)),
                task.space,
            )
            for name in ("search", "confirm")
        ]
        ledgers[0].enqueue(task.space.baseline())
        self._confirmation = Confirmation(
            *ledgers, baseline=task.space.baseline(), finalists=3, seeds=3, seed=seed, workers=workers
        )
        kept = self._confirmation.kept(task.max_epochs) if keeps else NOTHING
        limits = {"seconds" if timed else "epochs": self._limit}
        budget = Budget(workers=workers, kept=kept, **limits)
        self._timed = timed
        self._told = Told()
        self._told.short = "longer than the limit" in budget.terms(task.max_epochs)
        parts = make_parts("default", "default", task.max_epochs, seed=seed)
        history = History(task.space, task.max_epochs, timed=timed)
        search = self._phase("search", ledgers[0], Policy(history, *parts, budget))
        waiting = self._confirmation.enter_baseline()
        listed = Policy(History(task.space, task.max_epochs), Uniform(0), NoScheduler(), Budget(waiting))
        self._confirm = self._phase("confirm", ledgers[1], listed)
        self._program = Program(search, [self._confirm], self._go_on)

    def _phase(self, name: str, ledger: Ledger, policy: Policy) -> Phase:
        return Phase(
            name,
            ledger,
            policy,
            max_epochs=self._task.max_epochs,
            seed_of=lambda number: derive_seed(self._seed, name, number) % 2**31,
            listener=self._told,
            clock=lambda: self._clock,
        )

    def _go_on(self) -> None:
        if not self._search_ends:
            self._search_ends = self._clock
        self._confirm.extend(self._confirmation.go_on()[1])

    def run(self) -> tuple[float, float, int, bool]:
        """Shares of the limit that all took and that the search did; trainings; whether it was said to be short."""
        due: list[tuple[float, int, Job, int]] = []
        order, idle = itertools.count(), self._workers
        while not self._program.is_done:
            while idle and (job := self._program.next()) is not None:
                idle -= 1
                self._train(due, next(order), job, job.assignment.known + 1)
            if not due:
                continue
            self._clock, _, job, epoch = heapq.heappop(due)
            scores, seconds = self._task.curve(job.assignment.params)
            luck = random.Random(f"{job.assignment.seed} {job.assignment.params}").gauss(0, LUCK)
            self._epochs[job.phase] += 1
            number = job.assignment.number
            if np.isnan(scores[epoch - 1]):
                self._program.on_failure(job.phase, number, "diverged", diverged=True)
                idle += 1
                continue
            record = EpochRecord(
                epoch, float(scores[epoch - 1]) + luck, {"epoch_seconds": float(seconds[epoch - 1])}
            )
            if self._program.on_record(job.phase, number, record) is Decision.CONTINUE:
                self._train(due, next(order), job, epoch + 1)
            else:
                idle += 1
        trainings = len(self._confirmation.ledger.trials())
        if self._timed:
            return self._clock / self._limit, self._search_ends / self._limit, trainings, self._told.short
        used, searched = sum(self._epochs.values()), self._epochs["search"]
        return used / self._limit, searched / self._limit, trainings, self._told.short

    def _train(self, due: list[tuple[float, int, Job, int]], order: int, job: Job, epoch: int) -> None:
        seconds = self._task.curve(job.assignment.params)[1][epoch - 1]
        heapq.heappush(due, (self._clock + float(seconds), order, job, epoch))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--limits", type=int, nargs="+", default=LIMITS)
    parser.add_argument("--on-top", action="store_true", help="the confirmation is not counted")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trainings: Counter[int] = Counter()
    print(
        "| limit | trainings | workers | used, mean | from – to | within | said too small; others above | search |"
    )
    print("|---|---|---|---|---|---|---|---|")
    tables = [load_table(name) for name in TABLES]
    tasks = [(table.task(), float(table.seconds.mean())) for table in tables]
    for timed in (False, True):
        for limit in given.limits:
            for workers in given.workers if timed else given.workers[:1]:
                found = []
                for seed in range(given.seeds):
                    for task, usual in tasks:
                        study = Study(task, limit, timed, workers, seed, usual, not given.on_top)
                        found.append(study.run())
                        trainings[found[-1][2]] += 1
                used, searched, _, short = (np.array(column) for column in zip(*found, strict=True))
                cells = (
                    "time" if timed else "epochs",
                    f"{limit}",
                    f"{workers}",
                    f"{used.mean():.2f}",
                    f"{used.min():.2f} – {used.max():.2f}",
                    f"{(used <= 1.01).sum()}",
                    f"{short.sum()}, {(used[~short] > 1.01).sum()}",
                    f"{searched.mean():.2f}",
                )
                print(f"| {' | '.join(cells)} |", flush=True)
    told = ", ".join(f"{number} in {trainings[number]}" for number in sorted(trainings))
    print(f"\nTrainings of the confirmations: {told} studies.")


if __name__ == "__main__":
    main()
