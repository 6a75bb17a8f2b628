"""What it is worth that a new classifier begins with small weights, beside how its architecture begins it.

    PYTHONPATH=. python benchmarks/head.py --shared ../shared

Both train side by side with the same seeds, on `digits` and on the photographs of `sign_digits`, with a network of
timm's MobileNet family, whose classifiers begin with weights that suit a thousand classes and not ten. Printed is the
validation accuracy after the first epoch and in the end, and the mean of the paired differences with a 95 % interval.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

import _package  # noqa: F401
import numpy as np
import torch
from scipy import stats

import trainables.models.network as network
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.data import load_dataset
from trainables.material import Material, prepare, reading_of

HALF = (0.5, 0.5, 0.5)
RECIPES = (
    ("full", 3e-4),
    ("full", 1e-3),
    ("full", 3e-3),
    ("feature_extraction", 3e-3),
    ("feature_extraction", 1e-2),
)


@contextmanager
def as_its_architecture_begins_it(whether: bool) -> Iterator[None]:
    """A new classifier is left as it was made, or not."""
    calm = network._calm
    if whether:
        network._calm = lambda model, head: None
    try:
        yield
    finally:
        network._calm = calm


def material_of(data: str, epochs: int, shared: Path) -> tuple[Fixed, Material]:
    """The network with its real weights, on one of the data sets."""
    fixed = Fixed(
        model="examples.quarter_mobilenet:quarter_mobilenet",
        pretrained=str(shared / "weights" / "mobilenetv1_025.safetensors"),
        mean=HALF, std=HALF, channels=3, image_size=64, epochs=epochs, device="cpu", precision="fp32",
    )  # fmt: skip
    return fixed, prepare(load_dataset(data, 0, reading_of(fixed)), fixed)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, required=True, help="the folder of photographs and weights")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    shared = given.shared.resolve()
    print(f"{'data':12} {'recipe':26} {'as made':>15} {'small':>15}   difference in the end, points")
    for data, epochs in (("digits", 12), (str(shared / "data" / "sign_digits"), 6)):
        fixed, material = material_of(data, epochs, shared)
        for strategy, rate in RECIPES:
            params: dict[str, Any] = {"strategy": strategy, f"strategy.{strategy}.lr": rate}
            scores: dict[bool, list[list[float]]] = {True: [], False: []}
            for seed in range(given.seeds):
                for whether, found in scores.items():
                    with as_its_architecture_begins_it(whether):
                        trial = from_params(params, fixed, seed, material)
                    found.append([record.score for record in trial.epochs()])
            told = [
                f"{fmean(one[0] for one in of):.3f} → {fmean(one[-1] for one in of):.3f}"
                for of in scores.values()
            ]
            gained = 100 * np.array(
                [small[-1] - made[-1] for made, small in zip(*scores.values(), strict=True)]
            )
            margin = stats.t.ppf(0.975, len(gained) - 1) * gained.std(ddof=1) / np.sqrt(len(gained))
            print(
                f"{Path(data).name:12} {f'{strategy} {rate:.0e}':26} {told[0]:>15} {told[1]:>15}   "
                f"{gained.mean():+.1f} ± {margin:.1f} (n = {len(gained)})",
                flush=True,
            )


if __name__ == "__main__":
    main()
