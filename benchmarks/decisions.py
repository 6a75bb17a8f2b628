"""How long the default search thinks: `python benchmarks/decisions.py`.

A space of thirteen parameters, two of them switches. A history of so many trials is simulated with random recipes,
then it goes on with the default searcher and scheduler for a hundred trials, and every decision is timed: what to go
on with when a worker is free, and what to propose where nothing is. One thread, beside whatever else the machine does.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import _package  # noqa: F401
import numpy as np

from search.decisions.budget import UNLIMITED, Left
from search.decisions.history import History
from search.policies import make_parts
from search.simulation import simulate
from search.simulation.families import AUGMENTATION, OPTIMIZER
from spaces import Choice, Float, Int, Params, SearchSpace

EPOCHS = 27
SPACE = SearchSpace(
    {
        "lr": Float(1e-5, 1e-1, log=True),
        "weight_decay": Float(1e-6, 1, log=True),
        "batch_size": Int(8, 256, log=True),
        "dropout": Float(0, 0.5),
        "mixup": Float(0, 1),
        "smoothing": Choice((0.0, 0.05, 0.1)),
        "warmup": Float(0, 5),
        "optimizer": OPTIMIZER,
        "augmentation": AUGMENTATION,
    }
)


def curve(params: Params) -> tuple[Any, Any]:
    """Some landscape, a little noise."""
    final = 1 - abs(np.log10(params["lr"]) + 3) / 5 - abs(np.log10(params["weight_decay"]) + 3) / 8
    noise = np.random.default_rng(int(params["lr"] * 1e12)).normal(0, 0.01, EPOCHS)
    return (final - 0.2 * params["dropout"]) * (1 - 0.7 ** np.arange(1, EPOCHS + 1)) + noise, np.ones(EPOCHS)


class Watched:
    """Searcher and scheduler in one, random for the first `before` trials, then timed."""

    def __init__(self, before: int) -> None:
        self._before = before
        self._random = make_parts("random", "default", EPOCHS, seed=0)[0]
        self._searcher, self._scheduler = make_parts("default", "default", EPOCHS, seed=0)
        self.milliseconds: list[float] = []

    def on_record(self, history: History, number: int, epoch: int, score: float) -> Any:
        """As the scheduler has it."""
        return self._scheduler.on_record(history, number, epoch, score)

    def resume(self, history: History, *, closing: bool, left: Left = UNLIMITED) -> int | None:
        """Timed from the first trial after the random ones on."""
        began = time.perf_counter()
        number = self._scheduler.resume(history, closing=closing, left=left)
        self._spent = 1e3 * (time.perf_counter() - began)
        if number is not None and len(history) > self._before:
            self.milliseconds.append(self._spent)
        return number

    def closes(self, history: History, left: Left) -> bool:
        """As the scheduler has it."""
        return self._scheduler.closes(history, left)

    def propose(self, history: History, number: int) -> Params:
        """A decision that ends in a proposal took both."""
        if number < self._before:
            return self._random.propose(history, number)
        began = time.perf_counter()
        params = self._searcher.propose(history, number)
        if number > self._before + 5:  # the first ones catch up with all that was random
            self.milliseconds.append(self._spent + 1e3 * (time.perf_counter() - began))
        return params


def main() -> None:
    """Print a row a length of the history."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[10, 100, 1000, 2000])
    given = parser.parse_args()
    print("| trials | decisions | median | 95th percentile | longest |\n|---|---|---|---|---|")
    for trials in given.trials:
        watched = Watched(trials)
        simulate(SPACE, curve, EPOCHS, trials=trials + 100, searcher=watched, scheduler=watched)
        times = np.array(watched.milliseconds)
        print(
            f"| {trials} | {len(times)} | {np.median(times):.1f} ms | {np.quantile(times, 0.95):.1f} ms "
            f"| {times.max():.0f} ms |",
            flush=True,
        )


if __name__ == "__main__":
    main()
