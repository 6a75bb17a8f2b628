"""Real studies: the default against Ray's ASHA on random recipes, for the same time on the same machine, by turns.

Each pair of studies has one seed. A search lasts `--time` seconds by the clock; then its best COMPLETE recipe is
trained `--finalist-seeds` times with new seeds, the same for both, and tested once, which is what counts: the search's
own best score is a lucky maximum. The order within a pair changes from pair to pair.

    python benchmarks/studies.py                                  # digits, ten pairs, three minutes each search
    python benchmarks/studies.py --seeds 3 --time 60 --store /tmp/some

What was done is kept in the store; the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import _package  # noqa: F401
import numpy as np
from scipy.stats import t as student

from search import Store, Study, StudyResult

METHODS = {
    "default": {},
    "asha": {"searcher": "random", "scheduler": "asha"},
}


def run(study: str, method: str, seed: int, given: argparse.Namespace) -> StudyResult:
    """One study by the command line, as a user runs it, and what it found.

    It is confirmed afterwards, for the time is to be the search's alone.
    """
    name = f"{method}-{seed}"
    settings: dict[str, Any] = {"seed": seed, "finalists": 0, "registered": False, **METHODS[method]}
    here = ["--store", str(given.store)]
    searching = ["run", study, "--name", name, *here, "--time", f"{given.time:g}"]
    for key, value in settings.items():
        searching += ["--set", f"{key}={value}"]
    of_one = {"finalists": 1, "finalist_seeds": given.finalist_seeds}
    confirming = ["confirm", name, *here, "--finalists", "1", "--seeds", str(given.finalist_seeds)]
    for arguments in (searching, confirming):
        command = [sys.executable, "-m", "search", *arguments]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)}\n{done.stdout}")
    return Study.load(
        study, name=name, store=Store(given.store), time=given.time, **{**settings, **of_one}
    ).result()


def figures(found: StudyResult) -> list[float]:
    """Best score of the search, mean score on new seeds, mean test accuracy, trials, complete ones, epochs."""
    assert found.answer is not None
    winner = found.answer.winner
    complete = [trial for trial in found.trials if trial.state == "COMPLETE"]
    return [
        max(trial.score for trial in complete if trial.score is not None),
        float(np.mean(winner.val)),
        float(np.mean(winner.test)),
        len(found.trials),
        len(complete),
        sum(trial.epochs for trial in found.trials),
    ]


def main() -> None:
    """Print a row a study, and what the pairs say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", default="digits")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--time", type=float, default=180.0, help="seconds of each search")
    parser.add_argument("--finalist-seeds", type=int, default=3)
    parser.add_argument("--store", type=Path, default=None)
    given = parser.parse_args()
    given.store = given.store or Path(tempfile.mkdtemp())
    print("| study | best | on new seeds | test | trials | complete | epochs |")
    print("|---|---|---|---|---|---|---|")
    rows: dict[str, list[list[float]]] = {method: [] for method in METHODS}
    for seed in range(given.seeds):
        for method in sorted(METHODS, reverse=bool(seed % 2)):
            row = figures(run(given.study, method, seed, given))
            rows[method].append(row)
            print(f"| {method}-{seed} | " + " | ".join(shown(row)) + " |", flush=True)
    for method, found in rows.items():
        print(f"| {method}, mean | " + " | ".join(shown(np.mean(found, axis=0))) + " |")
    ours, theirs = (np.array(rows[method]) for method in METHODS)
    print()
    for column, what in enumerate(("best score of the search", "score on new seeds", "test accuracy")):
        gap = (ours - theirs)[:, column]
        width = (
            student.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else np.nan
        )
        print(
            f"{what}: default minus ASHA {100 * gap.mean():+.2f} points ± {100 * width:.2f} "
            f"(95 % interval, paired by seed, n = {len(gap)})"
        )


def shown(row: np.ndarray | list[float]) -> list[str]:
    """Shares with four places, counts without."""
    return [f"{value:.4f}" for value in row[:3]] + [f"{value:.0f}" for value in row[3:]]


if __name__ == "__main__":
    main()
