"""A trial of the classifier alone, on stored features and with the network run at each step: `benchmarks/features.py`.

Each pair trains one recipe with one seed both ways, by turns, from building the network to the last epoch's record. The
features are there already, as for all but the first trial of a study; what computing them takes is timed apart.

    python benchmarks/features.py                                  # digits, glyphs
    python benchmarks/features.py --data photos --model resnet18 --pairs 3
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from statistics import median

import _package  # noqa: F401
import torch

from search import Study
from search.execution.cluster import ALLOCATOR


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="digits")
    parser.add_argument("--model", default="glyphs")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--strength", type=float, default=0.3)
    given = parser.parse_args()
    missing = {name: value for name, value in ALLOCATOR.items() if name not in os.environ}
    if missing:  # as trials run; the allocator reads it at a process's start only
        sys.exit(subprocess.call([sys.executable, *sys.argv], env={**os.environ, **missing}))
    from trainables.builder import from_params
    from trainables.data import load_dataset
    from trainables.material import prepare, reading_of
    from trainables.settling import settle

    torch.set_num_threads(1)
    study = Study.load("digits", data=given.data, model=given.model, narrow={})
    fixed = study.spec.fixed()
    material = prepare(load_dataset(study.spec.data, study.spec.split_seed, reading_of(fixed)), fixed)
    fixed = settle(fixed, material)
    recipe = {
        "strategy": "feature_extraction", "strategy.feature_extraction.lr": 3e-3, "batch_size": 32,
        "augmentation_strength": given.strength,
    }  # fmt: skip

    def trial(seed: int, stored: bool) -> tuple[float, float]:
        began = time.perf_counter()
        chosen = fixed.model_copy(update={"stored_features": stored})
        best = max(record.score for record in from_params(recipe, chosen, seed, material).epochs())
        return time.perf_counter() - began, best

    with tempfile.TemporaryDirectory() as folder:
        os.environ["FINETUNE_SEARCH_CACHE"] = folder
        trial(0, False)  # warms up
        first, _ = trial(0, True)
        ratios, seconds, scores = [], [], []
        for seed in range(given.pairs):
            order = (True, False) if seed % 2 else (False, True)
            found = {stored: trial(seed, stored) for stored in order}
            ratios.append(found[False][0] / found[True][0])
            seconds.append((found[True][0], found[False][0]))
            scores.append(found[True][1] - found[False][1])
    kept, anew = (median(one) for one in zip(*seconds, strict=True))
    spread = torch.tensor(scores).std() / len(scores) ** 0.5
    print("| data | stored, s | anew, s | ratio | range | first trial, s | score, stored - anew | n |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {given.data}, {given.model} | {kept:.2f} | {anew:.2f} | **{median(ratios):.1f}** | "
        f"{min(ratios):.1f} - {max(ratios):.1f} | {first:.2f} | {sum(scores) / len(scores):+.4f} ± {spread:.4f} | "
        f"{len(scores)} |"
    )


if __name__ == "__main__":
    main()
