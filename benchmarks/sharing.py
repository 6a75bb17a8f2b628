"""Several trials at once on one card, or on the processor: `benchmarks/sharing.py`.

The first table: how much faster so many networks of one architecture train as a single batched one than one after the
other, forward and backward, by turns. The second: studies of the same trials, each way so many at a time, from the
first one's begin to the last one's end, with a process for each and with one process for all; and how busy that kept
the card, by its own word.

    python benchmarks/sharing.py                              # the card where there is one
    python benchmarks/sharing.py --device cpu --numbers 2 --trials 4 --epochs 3
    python benchmarks/sharing.py --only passes --models resnet18 --batch 64 --size 96
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import _package  # noqa: F401
import torch

from search import Store, Study, register

MODELS = ["test_resnet", "test_efficientnet", "test_convnext", "test_vit"]
TRIES = 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["passes", "studies"])
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--numbers", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, help="pixels; the model's own if not given")
    parser.add_argument("--precision", default="auto", help="of the passes: fp32, bf16, fp16")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=27)
    given = parser.parse_args()
    from trainables.precision import pick_device

    device = pick_device(given.device)
    if given.only != "studies":
        passes(given, device)
    if given.only != "passes":
        print()
        studies(given, device)


def passes(given: argparse.Namespace, device: torch.device) -> None:
    import timm

    from trainables.precision import Precision, candidates
    from trainables.sharing import gain_of
    from trainables.timing import pass_seconds, quickest

    torch.set_num_threads(1)
    print(
        f"| network, batches of {given.batch} | arithmetic | {' | '.join(map(str, given.numbers))} together |"
    )
    print(f"|---|---|{'---|' * len(given.numbers)}")
    for name in given.models:
        size = given.size or timm.create_model(name).default_cfg["input_size"][-1]

        def network(name: str = name) -> torch.nn.Module:
            made: torch.nn.Module = timm.create_model(name, num_classes=10)
            return made.to(device, memory_format=torch.channels_last).train()

        batch = torch.rand(given.batch, 3, size, size, device=device)
        batch = batch.contiguous(memory_format=torch.channels_last)
        kind = given.precision
        if kind == "auto":
            ways = {name: Precision(name, device) for name in candidates(device)}
            kind = quickest(
                {name: partial(pass_seconds, network(), batch, one) for name, one in ways.items()}
            )
        cells = []
        for number in given.numbers:
            models = [network() for _ in range(number)]
            gains = [gain_of(models, batch, Precision(kind, device)) for _ in range(TRIES)]
            cells.append(f"{median(gains):.2f} ({min(gains):.2f} to {max(gains):.2f})")
        print(f"| {name}, {size} px | {kind} | {' | '.join(cells)} |", flush=True)


def studies(given: argparse.Namespace, device: torch.device) -> None:
    ways = [("one at a time", 1, 1)]
    ways += [(f"{number} processes", number, 1) for number in given.numbers]
    ways += [(f"{number} in one process", number, number) for number in given.numbers]
    print(
        f"| {given.trials} trials of {given.epochs} epochs | trials an hour | of one at a time | card busy |"
    )
    print("|---|---|---|---|")
    alone = 0.0
    for name, workers, together in ways:
        rate, busy = hourly(given, device, workers, together)
        alone = alone or rate
        print(f"| {name} | {rate:,.0f} | {rate / alone:.2f} | {busy} |", flush=True)


def hourly(given: argparse.Namespace, device: torch.device, workers: int, together: int) -> tuple[float, str]:
    """Trials an hour, and how busy the card was."""
    settings: dict[str, Any] = {
        "name": "sharing", "data": given.data, "device": device.type, "epochs": given.epochs,
        "trials": given.trials, "finalists": 0, "searcher": "random", "scheduler": "none", "workers": workers,
        "registered": False, "together": together, "narrow": {"strategy": "full", "batch_size": given.batch},
    }  # fmt: skip
    if device.type == "cuda" and together == 1:
        settings["gpus_per_trial"] = 1 / workers
    with tempfile.TemporaryDirectory() as folder, busy_card(device) as shares:
        study = Study.load("digits", store=Store(Path(folder)), **settings)
        study.run()
        trials = register.find_study(study.store, "sharing").get_trials()
    ends = [trial.datetime_complete for trial in trials if trial.datetime_complete]
    begins = [trial.datetime_start for trial in trials if trial.datetime_start]
    seconds = (max(ends) - min(begins)).total_seconds()
    worked = [share for share in shares if share]
    return 3600 * len(trials) / seconds, f"{median(worked):.0f} %" if worked else "–"


@contextmanager
def busy_card(device: torch.device) -> Iterator[list[int]]:
    """Each second the share of the last one in which the card computed, percent."""
    shares: list[int] = []
    over = threading.Event()

    def watch() -> None:
        asked = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not over.wait(1):
            said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
            shares.extend(int(word) for word in said[:1] if word.isdigit())

    watching = threading.Thread(target=watch, daemon=True)
    if device.type == "cuda":
        watching.start()
    try:
        yield shares
    finally:
        over.set()


if __name__ == "__main__":
    main()
