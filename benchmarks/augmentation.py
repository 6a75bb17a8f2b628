"""Images a second of each augmentation policy on one thread, and the standard one beside kornia's own steps.

The kornia pipeline has the same kinds of changes at the same extents, each as a step of its own. The two take turns:

    python benchmarks/augmentation.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import _package  # noqa: F401
import kornia.augmentation as K  # noqa: N812 (the field's own name for it)
import torch
from torch import Tensor, nn

SHAPES = [(32, 3, 32, 32), (32, 3, 160, 160)]
STRENGTH = 0.5
ROUNDS = 40


def kornias(side: int) -> nn.Module:
    """Crop, affine, flip, colours, blur, noise and erasing, as kornia has them."""
    s = STRENGTH
    return nn.Sequential(
        K.RandomResizedCrop((side, side), scale=(1 - 0.3 * s, 1.0), ratio=(3 / 4, 4 / 3)),
        K.RandomAffine(30 * s, (0.1 * s, 0.1 * s), (1 - 0.2 * s, 1 + 0.2 * s), 10 * s, p=1.0),
        K.RandomHorizontalFlip(),
        K.ColorJitter(0.4 * s, 0.4 * s, 0.4 * s, 0.05 * s, p=1.0),
        K.RandomGaussianBlur((5, 5), (0.1, 0.1 + 1.9 * s), p=0.1 * s),
        K.RandomGaussianNoise(std=0.1 * s, p=0.1 * s),
        K.RandomErasing(p=0.25 * s, scale=(0.02, 0.15)),
    )


def rate(change: Callable[[Tensor], Tensor], images: Tensor) -> float:
    """Images a second."""
    began = time.perf_counter()
    change(images)
    return len(images) / (time.perf_counter() - began)


def main() -> None:
    from search.execution.cluster import ALLOCATOR
    from trainables.data import Invariances
    from trainables.parts import PARTS, PartConfig

    missing = {name: value for name, value in ALLOCATOR.items() if name not in os.environ}
    if missing:  # as trials run; the allocator reads it at a process's start only
        sys.exit(subprocess.call([sys.executable, *sys.argv], env={**os.environ, **missing}))
    torch.set_num_threads(1)
    print("| images | policy | images/s, median | over kornia's own steps | range | n |")
    print("|---|---|---|---|---|---|")
    for shape in SHAPES:
        images = torch.rand(shape).contiguous(memory_format=torch.channels_last)
        theirs = kornias(shape[-1])
        for name in PARTS["augmentation"]:
            ours = PartConfig("augmentation", name).make().at(STRENGTH, Invariances())
            for _ in range(3):
                rate(ours, images), rate(theirs, images)
            pairs = [(rate(ours, images), rate(theirs, images)) for _ in range(ROUNDS)]
            ratios = sorted(mine / other for mine, other in pairs)
            times = f"**{statistics.median(ratios):.1f}**" if name == "standard" else "-"
            spread = f"{ratios[2]:.1f} - {ratios[-3]:.1f}" if name == "standard" else "-"
            median = statistics.median(mine for mine, _ in pairs)
            print(
                f"| {shape[1]}x{shape[2]}x{shape[3]} | {name} | {median:,.0f} | {times} | {spread} | {ROUNDS} |"
            )


if __name__ == "__main__":
    main()
