"""What each setting of the processor gains: images a second of the core's training loop with it and without it.

A process trains as a trial does, another one likewise but with one setting changed, by turns; the first epoch of each
is left out. Changed are: glibc's allocator (as it comes), the order of images and weights in memory (channels first),
the arithmetic (that which the study did not choose), the threads (one trial on all cores in place of one a core, the
images of all trials counted; and as many threads as there are cores for each of the trials, which is what torch takes
by itself).

    python benchmarks/processor.py                     # the built-in network's architecture, and a resnet18
    python benchmarks/processor.py --rounds 9 test_resnet
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import _package

from search.execution.cluster import ALLOCATOR
from search.execution.resources import available_cores

EPOCHS = 4


@dataclass(frozen=True)
class Setting:
    """How processes train.

    Args:
        allocator: glibc's settings as trials have them, else as they come.
        memory_format: The order of images and weights in memory.
        precision: Of the arithmetic.
        trials: At a time.
        threads: Of each.
    """

    allocator: bool
    memory_format: str
    precision: str
    trials: int
    threads: int


def train(model: str, setting: Setting) -> None:
    """Train as a trial does; print images a second."""
    import torch

    from trainables import Fixed, from_params
    from trainables.settling import settle

    core = _package.script("core")
    case = core.CASES[model]
    torch.set_num_threads(setting.threads)
    fixed = Fixed(
        model=model, pretrained=False, image_size=case["side"], epochs=EPOCHS, precision=setting.precision,
        memory_format=setting.memory_format,
        device="cpu", augmentation_strength=0.5, compile=False,
    )  # fmt: skip
    material = core.material_of(model, case["side"], case["images"], fixed)
    recipe = {"strategy": "full", "strategy.full.lr": 1e-4, "batch_size": case["batch"]}
    trainable = from_params(recipe, settle(fixed, material), 0, material)
    rates = [record.metrics["images_per_second"] for record in trainable.epochs()][1:]
    print("RATE", len(rates) / sum(1 / rate for rate in rates))


def rate(model: str, setting: Setting) -> float:
    """Images a second of all trials together."""
    environment = {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
    environment |= {**(ALLOCATOR if setting.allocator else {}), "OMP_NUM_THREADS": str(setting.threads)}
    command = [sys.executable, str(Path(__file__)), "--child", json.dumps(asdict(setting)), model]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(setting.trials)
    ]
    said = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit(f"{' '.join(command)} failed")
    lines = [line for text in said for line in text.splitlines() if line.startswith("RATE")]
    return sum(float(line.split()[1]) for line in lines)


def chosen_precision(model: str) -> str:
    """What `precision: auto` takes here."""
    import torch

    from trainables import Fixed
    from trainables.settling import settle

    core = _package.script("core")
    case = core.CASES[model]
    torch.set_num_threads(1)
    fixed = Fixed(
        model=model, pretrained=False, image_size=case["side"], batch_size=case["batch"], device="cpu"
    )
    return settle(fixed, core.material_of(model, case["side"], case["images"], fixed)).precision


def main() -> None:
    """A row for each network and each setting that is changed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("models", nargs="*", default=["test_resnet", "resnet18"])
    given = parser.parse_args()
    if given.child:
        train(given.models[0], Setting(**json.loads(given.child)))
        return
    cores = available_cores()
    print("| network | as trials run | changed | gain | range | n | images/s | changed, images/s |")
    print("|---|---|---|---|---|---|---|---|")
    for model in given.models:
        own = Setting(True, "channels_last", chosen_precision(model), cores, 1)
        other = "fp32" if own.precision != "fp32" else "bf16"
        changes = {
            ("allocator set", "as it comes"): replace(own, allocator=False),
            ("channels last", "channels first"): replace(own, memory_format="channels_first"),
            (own.precision, other): replace(own, precision=other),
            (f"{cores} trials of one thread", f"one of {cores} threads"): replace(
                own, trials=1, threads=cores
            ),
            (f"{cores} trials of one thread", f"{cores} of {cores} threads"): replace(own, threads=cores),
        }
        for (as_is, changed), setting in changes.items():
            pairs = []
            for turn in range(given.rounds):
                order = (own, setting) if turn % 2 == 0 else (setting, own)
                found = {one: rate(model, one) for one in order}
                pairs.append((found[own], found[setting]))
            gains = sorted(mine / theirs for mine, theirs in pairs)
            mine, theirs = (statistics.median(rates) for rates in zip(*pairs, strict=True))
            print(
                f"| {model} | {as_is} | {changed} | **{statistics.median(gains):.2f}** | "
                f"{gains[0]:.2f} – {gains[-1]:.2f} | {given.rounds} | {mine:.0f} | {theirs:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
