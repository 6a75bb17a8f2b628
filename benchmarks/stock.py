"""Trials an hour: `finetune-search run` against the script that one writes by hand (`benchmarks/stock_script.py`).

Both search with ASHA (η = 3, the same first rung and full budget) over the very same recipes in the same order, of the
same space, with the same pretrained network, on the same images, cores and kind of arithmetic. The project's study is
run first, since its recipes are drawn by it; from then on the two take turns. Timed is the whole command, from the
shell's prompt to its end, imports and Ray's start included; the answer's confirmation is left out, which the script
does not have.

    python benchmarks/stock.py                              # digits
    python benchmarks/stock.py --task grocery --trials 6    # photographs, MobileNetV1 at a quarter of its width
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _package  # noqa: F401

from search import Store, Study
from search.execution.resources import available_cores
from search.register import SETTLED, find_study

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
ETA = 3


@dataclass(frozen=True)
class Task:
    """What both sides search on.

    Args:
        study: The project's built-in study.
        settings: Its changes, as `run --set` takes them.
        network: The architecture, by the name that the script knows it by.
        size: Side of the images, pixels.
        channels: Of the images.
        mean: What the network's weights were trained with.
        std: Likewise.
        rotation: Degrees either way that keep labels true.
        flip: Whether left and right may be exchanged.
        epochs: Full budget of a trial.
    """

    study: str
    network: str
    size: int
    channels: int
    mean: list[float]
    std: list[float]
    rotation: float
    flip: bool
    epochs: int
    settings: dict[str, Any] = field(default_factory=dict)


def tasks() -> dict[str, Task]:
    """By name; those whose files are not here are left out."""
    from trainables.models import glyphs

    found = {
        "digits": Task("digits", glyphs.ARCHITECTURE, 32, 1, [glyphs.MEAN], [glyphs.STD], 25.0, False, 27)
    }
    weights = SHARED / "weights" / "mobilenetv1_025.safetensors"
    if weights.is_file() and (SHARED / "data" / "grocery").is_dir():
        found["grocery"] = Task(
            "images", "quarter_mobilenet", 96, 3, [0.5] * 3, [0.5] * 3, 30.0, True, 9,
            {
                "data": str(SHARED / "data" / "grocery"),
                "model": "examples.quarter_mobilenet:quarter_mobilenet",
                "pretrained": str(weights),
                "mean": [0.5] * 3,
                "std": [0.5] * 3,
                "image_size": 96,
                "duplicates": "as_given",
            },
        )  # fmt: skip
    return found


def overrides(task: Task, given: argparse.Namespace) -> dict[str, Any]:
    """The project's study with the script's search: ASHA over random recipes, no confirmation."""
    return {
        **task.settings, "epochs": task.epochs, "trials": given.trials, "searcher": "random", "scheduler": "asha",
        "eta": ETA, "grace": given.grace, "finalists": 0, "seed": given.seed, "workers": given.workers,
        "registered": False,
    }  # fmt: skip


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    """Seconds that a command takes, and what it prints."""
    began = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "CI": "true", "TMPDIR": str(folder), "RAY_USAGE_STATS_ENABLED": "0"},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return time.perf_counter() - began, done.stdout


def run_project(task: Task, given: argparse.Namespace, folder: Path) -> tuple[float, Study]:
    """The project's study by its command."""
    settings = overrides(task, given)
    store = Store(folder / "mlruns")
    command = [sys.executable, "-m", "search", "run", task.study, "--store", str(store.root)]
    for key, value in settings.items():
        text = json.dumps(value) if isinstance(value, list) else str(value)
        command += ["--set", f"{key}={text}"]
    seconds, _ = timed(command, folder)
    return seconds, Study.load(task.study, store=store, **settings)


def write_images(study: Study, folder: Path) -> dict[str, Any]:
    """The study's training and validation images as two folders of class folders, as a user has them."""
    from PIL import Image

    from trainables.data import load_dataset
    from trainables.material import reading_of

    spec = study.spec
    if Path(spec.data).is_dir():
        return {
            "train": str(Path(spec.data) / "train"),
            "val": str(Path(spec.data) / "val"),
            "repeats": 1,
        }
    dataset = load_dataset(spec.data, spec.split_seed, reading_of(spec.fixed()))
    for name, split in (("train", dataset.train), ("val", dataset.val)):
        for index, (pixels, label) in enumerate(zip(split.pixels, split.labels, strict=True)):
            place = folder / name / dataset.classes[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.squeeze()).save(place / f"{index:05d}.png")
    return {"train": str(folder / "train"), "val": str(folder / "val"), "repeats": dataset.repeats}


def weights_of(study: Study) -> str:
    """The file of the study's pretrained weights."""
    from trainables.models import glyphs

    pretrained = study.spec.pretrained
    return pretrained if isinstance(pretrained, str) else str(glyphs.ensure_weights())


def run_stock(
    task: Task, given: argparse.Namespace, study: Study, images: dict[str, Any], folder: Path
) -> tuple[float, dict[str, Any]]:
    """The script, over the recipes that `study` had."""
    known = find_study(study.store, study.spec.name)
    out = folder / "stock"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    settings = {
        **images,
        "weights": weights_of(study),
        "network": task.network,
        "size": task.size,
        "channels": task.channels,
        "mean": task.mean,
        "std": task.std,
        "rotation": task.rotation,
        "flip": task.flip,
        "precision": known.user_attrs[SETTLED]["precision"],
        "epochs": task.epochs,
        "grace": given.grace,
        "eta": ETA,
        "workers": given.workers,
        "loader_workers": given.loader_workers,
        "recipes": [trial.params for trial in known.trials],
        "out": str(out),
    }
    path = folder / "settings.json"
    path.write_text(json.dumps(settings))
    seconds, said = timed([sys.executable, str(ROOT / "benchmarks" / "stock_script.py"), str(path)], folder)
    line = next(line for line in said.splitlines() if line.startswith("STOCK "))
    return seconds, json.loads(line.removeprefix("STOCK "))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=["digits", "grocery"], default="digits")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--grace", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the first run; each run has its own recipes")
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--loader-workers", type=int, default=0, help="of the script's DataLoader")
    given = parser.parse_args()
    if given.task not in (known := tasks()):
        sys.exit(
            f"{given.task} needs the photographs and weights in a folder `shared` beside the checkout, but got none"
        )
    task = known[given.task]
    print(
        "| run | trials an hour | the script's | ratio | epochs | the script's |\n|---|---|---|---|---|---|"
    )
    ratios = []
    for _ in range(given.runs):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            ours, study = run_project(task, given, folder)
            trials = study.result().trials
            failed = [trial.reason for trial in trials if trial.state == "FAIL"]
            images = write_images(study, folder)
            stock, found = run_stock(task, given, study, images, folder)
            if failed or found["errors"]:
                sys.exit(f"trials failed: {failed or found['errors']}")
            ratios.append(stock / ours * len(trials) / len(found["epochs"]))
            print(
                f"| seed {given.seed} | {3600 * len(trials) / ours:.0f} | {3600 * len(found['epochs']) / stock:.0f} | "
                f"**{ratios[-1]:.1f}** | {sum(trial.epochs for trial in trials)} | {sum(found['epochs'])} |",
                flush=True,
            )
        given.seed += 1
    print(
        f"\nmedian {statistics.median(ratios):.1f}, {min(ratios):.1f} to {max(ratios):.1f}, n = {len(ratios)}"
    )


if __name__ == "__main__":
    main()
