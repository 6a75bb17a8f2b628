"""Whether a ramp of a hundred steps finds the learning rate that whole trainings on `digits` find best.

    python benchmarks/learning_rates.py --keep tests/trainables/preflight/rates.jsonl
    PYTHONPATH=. python benchmarks/learning_rates.py --keep … --shared ../shared    # with real pretrained networks

Each case is a network, a strategy and an optimizer. Its best rate is that of the highest validation accuracy
(smoothed over neighbours by ¼, ½, ¼) of whole trainings at sixteen rates a quarter of a decade apart, the mean of the
seeds. Three rules read the same ramps: the project's, torch-lr-finder's steepest slope and fastai's valley. Printed is
by what factor each is off. Cases with a star were not looked at when the project's rule was chosen.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import _package  # noqa: F401
import numpy as np
import torch

from trainables.builder import from_params
from trainables.config import Fixed, TrialConfig
from trainables.data import load_dataset
from trainables.material import Material, prepare, reading_of
from trainables.preflight.core import setup_of
from trainables.preflight.ramp import ramp
from trainables.preflight.suggestion import suggest
from trainables.protocol import Diverged

EPOCHS = 12
RATES = [10 ** (power / 4) for power in range(-16, 0)]
"""Of AdamW; SGD's are ten times as high."""

HALF = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "channels": 3, "image_size": 64}
NETWORKS: dict[str, dict[str, Any]] = {
    "glyphs": {"model": "glyphs"},
    "test_resnet": {"model": "test_resnet", "pretrained": False, "image_size": 32},
    "test_convnext": {"model": "test_convnext", "pretrained": False, "image_size": 32},
    "mobilenetv1": {
        "model": "examples.quarter_mobilenet:quarter_mobilenet", "pretrained": "mobilenetv1_025.safetensors", **HALF,
    },
    "mobilenetv2": {
        "model": "mobilenetv2_100", "pretrained": "mobilenetv2_100.safetensors", "model_args": {"pad_type": "same"},
        **HALF,
    },
}  # fmt: skip
CASES = [
    ("glyphs", "full", "adamw"), ("glyphs", "feature_extraction", "adamw"), ("glyphs", "full", "sgd"),
    ("test_resnet", "full", "adamw"), ("mobilenetv1", "full", "adamw"),
    ("mobilenetv1", "feature_extraction", "adamw"), ("mobilenetv1", "full", "sgd"),
    ("test_resnet", "full", "sgd"), ("test_convnext", "full", "adamw"),
]  # fmt: skip
LEFT_OUT = set(CASES[7:])
RULES = {"ours": "rate", "steepest slope": "steepest", "valley": "valley"}

Case = tuple[str, str, str]


def main() -> None:
    """Train what is not kept yet, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--keep", type=Path, required=True, help="a file that keeps what was found, a line a training"
    )
    parser.add_argument(
        "--shared", type=Path, help="the folder of real networks; cases that need it are left out"
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--ramps", type=int, default=3)
    parser.add_argument("--only-kept", action="store_true", help="train nothing")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cases = [case for case in CASES if given.shared or not case[0].startswith("mobilenet")]
    if not given.only_kept:
        for seed in range(given.seeds):
            for case in cases:
                _train(case, seed, given.keep, given.shared)
    show(cases, kept(given.keep), given.ramps, given.shared)


def kept(path: Path) -> dict[Case, dict[float, list[float]]]:
    """Case → rate → accuracies."""
    found: dict[Case, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in path.read_text().splitlines() if path.exists() else ():
        row = json.loads(line)
        network, strategy, optimizer, rate, _ = row["key"]
        found[network, strategy, optimizer][rate].append(row["acc"] or 0.0)
    return found


def best(accuracies: dict[float, list[float]]) -> float:
    """The rate of the highest smoothed accuracy."""
    rates = sorted(accuracies)
    means = np.pad([np.mean(accuracies[rate]) for rate in rates], 1, mode="edge")
    return rates[int(np.convolve(means, [0.25, 0.5, 0.25], "valid").argmax())]


def material_of(network: str, shared: Path | None) -> tuple[Fixed, Material]:
    """What trainings of a network are made of."""
    settings = {"device": "cpu", "precision": "fp32", "epochs": EPOCHS, **NETWORKS[network]}
    if isinstance(settings.get("pretrained"), str):
        assert shared is not None
        settings["pretrained"] = str(shared / "weights" / settings["pretrained"])
    fixed = Fixed(**settings)
    return fixed, prepare(load_dataset("digits", 0, reading_of(fixed)), fixed)


def params_of(strategy: str, rate: float) -> dict[str, Any]:
    """A recipe."""
    return {"strategy": strategy, f"strategy.{strategy}.lr": rate}


def _train(case: Case, seed: int, keep: Path, shared: Path | None) -> None:
    network, strategy, optimizer = case
    done = (
        {tuple(json.loads(line)["key"]) for line in keep.read_text().splitlines()} if keep.exists() else set()
    )
    wanted = [round(rate * (10 if optimizer == "sgd" else 1), 8) for rate in RATES]
    wanted = [rate for rate in wanted if (*case, rate, seed) not in done]
    if not wanted:
        return
    fixed, material = material_of(network, shared)
    fixed = fixed.model_copy(update={"optimizer": optimizer})
    for rate in wanted:
        began = time.perf_counter()
        try:
            scores = [
                one.score for one in from_params(params_of(strategy, rate), fixed, seed, material).epochs()
            ]
        except Diverged:
            scores = [0.0]
        row = {
            "key": [*case, rate, seed],
            "seconds": round(time.perf_counter() - began, 2),
            "acc": max(scores),
        }
        with keep.open("a") as file:
            file.write(json.dumps(row) + "\n")


def show(
    cases: list[Case], found: dict[Case, dict[float, list[float]]], ramps: int, shared: Path | None
) -> None:
    """Print the table."""
    off: dict[str, list[float]] = defaultdict(list)
    print(f"{'network, strategy, optimizer':48} {'best':>8} " + " ".join(f"{rule:>15}" for rule in RULES))
    for case in cases:
        if len(found[case]) < len(RATES):
            continue
        network, strategy, optimizer = case
        fixed, material = material_of(network, shared)
        fixed = fixed.model_copy(update={"optimizer": optimizer})
        right = best(found[case])
        told: dict[str, list[float]] = defaultdict(list)
        for seed in range(ramps):
            setup = setup_of(TrialConfig.from_params(params_of(strategy, 1e-3), fixed, seed), material)
            said = suggest(ramp(setup))
            for rule, name in RULES.items():
                told[rule].append(getattr(said, name) / right)
        for rule, factors in told.items():
            off[rule] += factors
        star = " *" if case in LEFT_OUT else ""
        print(
            f"{', '.join(case) + star:48} {right:8.2g} "
            + " ".join(f"{min(told[rule]):7.2f}–{max(told[rule]):<7.2f}" for rule in RULES)
        )
    for rule, factors in off.items():
        logs = np.log(factors)
        typical = math.exp(math.sqrt(float((logs**2).mean())))
        within = float((np.abs(logs) <= math.log(3) + 1e-9).mean())
        worst = math.exp(float(np.abs(logs).max()))
        print(
            f"{rule}: off by a factor of {typical:.2f} (root mean square of the logarithm, n = {len(factors)}), "
            f"within 3 in {100 * within:.0f} %, worst {worst:.1f}"
        )


if __name__ == "__main__":
    main()
