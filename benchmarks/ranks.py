"""What more processes bring a trial: `python benchmarks/ranks.py [--processes 2] [--model resnet18] [--rounds 5]`.

With `--norms` only what BatchNorm over processes costs beside torch's own, forth and back, in a single process.

Epochs of one recipe on `digits`, trained in turns by one process and by several, a thread each: the ratio of their
images a second over the rounds, with its spread. With `--sharded` each of them holds a part of the weights.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import nullcontext
from typing import Any

import _package  # noqa: F401
import torch

from trainables.builder import from_params
from trainables.config import Fixed
from trainables.data import load_dataset
from trainables.material import prepare, reading_of
from trainables.protocol import EpochRecord
from trainables.ranks import as_one_of
from trainables.ranks.group import Group, join, lead
from trainables.ranks.sharded import Sharded

CPU = torch.device("cpu")
RECIPE = {"strategy": "full", "strategy.full.lr": 1e-3, "batch_size": 64, "optimizer": "sgd"}

together: Iterator[EpochRecord]


def made(settings: dict[str, Any], rounds: int, repeats: int = 10) -> Iterator[EpochRecord]:
    """The recipe's epochs, by whichever processes there are."""
    torch.set_num_threads(1)
    fixed = Fixed(
        **settings, epochs=rounds + 1, repeats=repeats, precision="fp32", device="cpu", stored_features=False
    )
    material = prepare(load_dataset("digits", 0, reading_of(fixed, lambda *_: None, lambda _: None)), fixed)
    return from_params(RECIPE, fixed, 0, material).epochs()


def enter(
    port: int, number: int, size: int, kind: type[Group], settings: dict[str, Any], rounds: int
) -> None:
    """In each process but the first."""
    global together
    with as_one_of(join("127.0.0.1", port, number, size, CPU, kind)):
        together = made(settings, rounds)


def follow() -> None:
    """One epoch of all."""
    next(together)


def norms(rounds: int) -> None:
    """Passes of either BatchNorm over the same images, in turns."""
    torch.set_num_threads(1)
    ranks = lead("127.0.0.1", 1, CPU, lambda port: None)
    with as_one_of(ranks):
        print("| images, channels, pixels | times torch's own |\n|---|---|")
        for shape in ((32, 64, 56, 56), (32, 128, 28, 28), (32, 512, 7, 7)):
            x, norm = torch.randn(shape, requires_grad=True), torch.nn.BatchNorm2d(shape[1])
            ratios = []
            for _ in range(rounds + 1):
                took = []
                for context in (ranks.norms(nullcontext), nullcontext):
                    began = time.perf_counter()
                    with context():
                        out = norm(x)
                    out.backward(out.detach())
                    took.append(time.perf_counter() - began)
                ratios.append(took[0] / took[1])
            counted = ratios[1:]
            print(
                f"| {shape[0]}, {shape[1]}, {shape[2]}² | {statistics.median(counted):.2f} "
                f"({min(counted):.2f} to {max(counted):.2f}, n = {rounds}) |"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--model", default="glyphs")
    parser.add_argument("--image-size", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sharded", action="store_true")
    parser.add_argument("--norms", action="store_true")
    chosen = parser.parse_args()
    if chosen.norms:
        norms(chosen.rounds)
        return
    kind = Sharded if chosen.sharded else Group
    settings = {
        "model": chosen.model,
        "pretrained": chosen.model == "glyphs",
        "image_size": chosen.image_size,
    }
    context = multiprocessing.get_context("fork")  # a new one would not find this script's own folder
    others = [ProcessPoolExecutor(1, mp_context=context) for _ in range(chosen.processes - 1)]
    for other in others:
        other.submit(torch.set_num_threads, 1).result()  # they are there before this process has threads
    entered: list[Future[None]] = []

    def invite(port: int) -> None:
        for number, other in enumerate(others, 1):
            entered.append(other.submit(enter, port, number, chosen.processes, kind, settings, chosen.rounds))

    with as_one_of(lead("127.0.0.1", chosen.processes, CPU, invite, kind)):
        several = made(settings, chosen.rounds)
    for one in entered:
        one.result()
    alone = made(settings, chosen.rounds)
    ratios = []
    for _ in range(chosen.rounds + 1):
        slow = next(alone).metrics["images_per_second"]
        followed = [other.submit(follow) for other in others]
        fast = next(several).metrics["images_per_second"]
        for one in followed:
            one.result()
        ratios.append(fast / slow)
        print(f"one process {slow:,.0f} images a second, {chosen.processes} processes {fast:,.0f}")
    counted = ratios[1:]  # in the first epoch memory is asked for
    print(
        f"{chosen.model}, {chosen.processes} processes{', sharded' if chosen.sharded else ''}: "
        f"{statistics.median(counted):.2f} times the images a second "
        f"({min(counted):.2f} to {max(counted):.2f}, n = {len(counted)})"
    )


if __name__ == "__main__":
    main()
