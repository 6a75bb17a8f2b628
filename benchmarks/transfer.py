"""Does the transfer pay? Accuracy from scratch, with the backbone frozen, and fully fine-tuned, paired by seed.

Each of five seeds splits the data anew and trains each strategy at each learning rate of its grid; the rate is
chosen on validation, the test accuracy of that training is what counts.

    python benchmarks/transfer.py [--data digits] [--model glyphs] [--set pretrained=FILE] [--seeds 5] [--epochs 27]
        [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import statistics

import _package  # noqa: F401
import torch

from search.reading import parse_setting
from spaces import Params
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.data import Dataset, load_dataset
from trainables.material import Material, prepare, reading_of
from trainables.settling import settle
from trainables.testing import open_test

GRIDS = {
    "scratch": [1e-3, 3e-3, 1e-2],
    "feature_extraction": [3e-3, 1e-2, 3e-2],
    "full": [3e-4, 1e-3, 3e-3],
}


def one(params: Params, fixed: Fixed, seed: int, material: Material, dataset: Dataset) -> tuple[float, float]:
    """Best validation score, and test accuracy of those weights."""
    trainable = from_params(params, fixed, seed, material)
    for _ in trainable.epochs():
        pass
    seen = open_test(dataset.test, dataset.classes, trainable.best_weights, params, fixed, seed, material)
    return trainable.best_score, sum(seen.right) / len(seen.right)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="digits")
    parser.add_argument("--model", default="glyphs")
    parser.add_argument("--set", action="append", default=[], help="a setting of data or model, as for `run`")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = {
        "model": options.model,
        "epochs": options.epochs,
        "repeats": options.repeats,
        "batch_size": 32,
    }
    fixed = Fixed.model_validate(settings | dict(parse_setting(text) for text in options.set))
    results: dict[str, list[float]] = {name: [] for name in GRIDS}
    for seed in range(options.seeds):
        dataset = load_dataset(options.data, seed, reading_of(fixed))
        material = prepare(dataset, fixed)
        fixed = settle(fixed, material)
        for name, grid in GRIDS.items():
            runs = [
                one({"strategy": name, f"strategy.{name}.lr": lr}, fixed, seed, material, dataset)
                for lr in grid
            ]
            results[name].append(max(runs)[1])
            print(f"seed {seed} {name:20s} test {results[name][-1]:.4f}", flush=True)
    for name, values in results.items():
        gain = [value - base for value, base in zip(values, results["scratch"], strict=True)]
        print(
            f"{name:20s} {statistics.fmean(values):.4f} ± {statistics.stdev(values):.4f} (n = {len(values)}), "
            f"over scratch {statistics.fmean(gain):+.4f} ± {statistics.stdev(gain):.4f}"
        )
    print(json.dumps({"benchmark": "transfer", **vars(options), "test": results}))


if __name__ == "__main__":
    main()
