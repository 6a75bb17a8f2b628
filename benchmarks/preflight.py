"""What looking at a study before it begins takes of it: `python benchmarks/preflight.py`.

Whole studies on the real Ray, Optuna and MLflow, as `finetune-search run` makes them. `measuring` is what decides
arithmetic, order in memory and threads, `looking` the short form; their share is of the wall-clock from the call to the
answer. `whole form` is what `finetune-search preflight` does, by itself beforehand, without data and weights.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _package  # noqa: F401

from search import Store, Study
from search.preflight.before import LOOKING, MEASURING
from search.view.silent import Silent


class Clock(Silent):
    """When what began."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, float]] = []

    def on_phase(self, text: str) -> None:
        """Another thing begins."""
        self.phases.append((text, time.monotonic()))

    def on_study(self, spec: Any, trials: Sequence[Any], workers: int) -> None:
        """Its trials begin."""
        self.on_phase("trials")

    def seconds(self, wanted: str) -> float:
        """From the beginning of something to that of the next."""
        for (text, began), (_, ended) in zip(self.phases, self.phases[1:], strict=False):
            if text == wanted:
                return ended - began
        return 0.0


def main() -> None:
    """A row a study, and their median."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", default="digits")
    parser.add_argument("--trials", type=int, help="fewer than the study has")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    change = {} if given.trials is None else {"trials": given.trials}
    print("| study | measuring, s | looking, s | whole study, s | share | whole form, s |")
    print("|---|---|---|---|---|---|")
    shares = []
    for run in range(given.runs):
        with tempfile.TemporaryDirectory() as folder:
            study = Study.load(given.study, store=Store(Path(folder) / "mlruns"), **change)
            whole = study.preflight().seconds
            clock, began = Clock(), time.monotonic()
            study.run(clock)
            took = time.monotonic() - began
            measuring, looking = clock.seconds(MEASURING), clock.seconds(LOOKING)
            shares.append((measuring + looking) / took)
            print(
                f"| {given.study}, run {run + 1} | {measuring:.1f} | {looking:.1f} | {took:.0f} | "
                f"{100 * shares[-1]:.1f} % | {whole:.1f} |",
                flush=True,
            )
    print(f"\nmedian share {100 * statistics.median(shares):.1f} %, n = {given.runs}")


if __name__ == "__main__":
    main()
