"""Learning curves of the project's own training core, for rehearsing searches: `python benchmarks/record.py NAME`.

Each recipe is drawn from the preset `recipe`, trained at full length, and becomes a row: its parameters, the seconds of
processor time that an epoch takes (their median, on one thread: what else the machine does counts little), and the
score of each epoch. Recipe number i depends on i alone, so a recording that was
interrupted goes on where it stood, and several processes can share one (`--part 0/2`, `--part 1/2`).

    python benchmarks/record.py digits --recipes 500
    python benchmarks/record.py signs --recipes 500       # needs the photographs of hand signs
    python benchmarks/record.py digits --table digits.parquet
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import _package  # noqa: F401

GLIBC = {  # without these a CPU trial spends most of its time in page faults
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}

SIGNS = Path(__file__).parents[2] / "shared" / "data" / "sign_digits"

WHOLE = {"stopping": "never"}
"""A recipe that ends by itself has no curve to its end."""

TASKS: dict[str, dict[str, Any]] = {
    "digits": {
        "data": "digits",
        "narrow": {
            "batch_size": {"low": 8, "high": 64, "default": 32},
            "strategy.full.lr": {"low": 3e-5, "high": 1e-2},
        },
        "fixed": {"model": "glyphs"},
    },
    "signs": {
        "data": str(SIGNS),
        "narrow": {
            "batch_size": {"low": 8, "high": 64, "default": 32},
            "strategy.full.lr": {"low": 3e-5, "high": 1e-2},
        },
        "fixed": {"model": "glyphs", "val_share": 0.3, "test_share": 0.6, "duplicates": "as_given"},
    },
}


def write(task: str, epochs: int, folder: Path, path: Path) -> None:
    """All parts of a recording as one table."""
    import numpy as np

    from search.simulation.tables import Table, write_table
    from spaces import load_space

    rows = [
        json.loads(line)
        for part in sorted(folder.glob(f"{task}-*.jsonl"))
        for line in part.read_text().splitlines()
    ]
    rows.sort(key=lambda row: row["number"])
    scores = np.full((len(rows), epochs), np.nan)
    for index, row in enumerate(rows):
        scores[index, : len(row["scores"])] = row["scores"]
    space = load_space("recipe").narrow({**TASKS[task]["narrow"], **WHOLE})
    seconds = np.array([row["seconds"] for row in rows], dtype=float)
    seconds = np.where(seconds > 0, seconds, np.median(seconds))
    lost = np.isnan(scores[:, -1])
    write_table(Table(task, space, [row["params"] for row in rows], scores, seconds, lost), path)
    print(f"{len(rows)} curves, {lost.sum()} of them diverged: {path}, {path.stat().st_size / 1024:.0f} KiB")


def main() -> None:
    """Record one task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--recipes", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--part", default="0/1", help="which share of the recipes this process trains")
    parser.add_argument("--out", type=Path, default=Path("mlruns/curves"))
    parser.add_argument(
        "--table", type=Path, help="train nothing; write what is recorded as a table to this file"
    )
    given = parser.parse_args()
    if given.table is not None:
        write(given.task, given.epochs, given.out, given.table)
        return
    if any(os.environ.get(name) != value for name, value in GLIBC.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **GLIBC})

    import torch

    from spaces import load_space
    from spaces.suggest import random_suggest
    from trainables.builder import from_params
    from trainables.config import Fixed
    from trainables.data import load_dataset
    from trainables.material import prepare, reading_of
    from trainables.protocol import Diverged
    from trainables.settling import settle

    torch.set_num_threads(1)
    task = TASKS[given.task]
    space = load_space("recipe").narrow({**task["narrow"], **WHOLE})
    fixed = Fixed.model_validate({"epochs": given.epochs, "precision": "fp32", **task["fixed"]})
    material = prepare(load_dataset(task["data"], 0, reading_of(fixed)), fixed)
    fixed = settle(fixed, material)
    part, parts = map(int, given.part.split("/"))
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"{given.task}-{part}of{parts}.jsonl"
    done = {json.loads(line)["number"] for line in path.read_text().splitlines()} if path.exists() else set()
    with path.open("a") as file:
        for number in range(part, given.recipes, parts):
            if number in done:
                continue
            params = space.draw(random_suggest(random.Random(number)))
            if number == 0:
                params = space.baseline()
            scores, seconds, began = [], [], time.perf_counter()
            try:
                epochs = from_params(params, fixed, number, material).epochs()
                before = time.process_time()
                for record in epochs:
                    scores.append(record.score)
                    after = time.process_time()
                    seconds.append(after - before)
                    before = after
            except Diverged as error:
                print(number, error)
            row = {"number": number, "params": params, "scores": scores, "seconds": median(seconds or [0.0])}
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(
                f"{number}: {max(scores, default=0):.3f} in {time.perf_counter() - began:.1f} s", flush=True
            )


if __name__ == "__main__":
    main()
