"""Images a second of the training loop over the bare forward, backward and step of the same network and batch.

The loop is the one that every trial runs, with everything that a recipe has by default (augmentation at strength
0.5, normalisation, clipping, figures of each step); the bare steps see one ready batch again and again. The two
take turns, so that a busy machine slows both:

    python benchmarks/core.py                      # on the processor: test_resnet, resnet18, a small ViT
    python benchmarks/core.py --device cuda        # also against the card's matrix rate
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import _package  # noqa: F401
import numpy as np
import torch

CASES = {
    "test_resnet": {"side": 32, "batch": 32, "images": 320},
    "resnet18": {"side": 64, "batch": 32, "images": 96},
    "vit_tiny_patch16_224": {"side": 64, "batch": 32, "images": 192},
}
ON_A_CARD = {
    "resnet18": {"side": 224, "batch": 256, "images": 5120},
    "resnet50": {"side": 224, "batch": 128, "images": 2560},
    "vit_small_patch16_224": {"side": 224, "batch": 256, "images": 5120},
}


def material_of(model: str, side: int, images: int, fixed):
    """Photograph-like noise: what is drawn has no influence on how long it takes."""
    from trainables.data import Dataset, Images
    from trainables.material import prepare

    rng = np.random.default_rng(0)
    splits = [
        Images(
            rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8),
            np.arange(count, dtype=np.int64) % 10,
        )
        for count in (images, 32, 32)
    ]
    return prepare(Dataset("noise", tuple("0123456789"), *splits), fixed)


def bare_steps(trainable, batch: int, steps: int) -> Callable[[], float]:
    """A function that makes `steps` bare steps and says how many images a second they were."""
    device, precision = trainable.precision.device, trainable.precision
    images, labels = trainable.train.take(torch.arange(batch, device=device))
    inputs = trainable.normalise(images)
    model, optimizer, scaler = trainable.model, trainable.optimizer, precision.scaler()

    def run() -> float:
        model.train()
        wait(device)
        began = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            with precision.autocast():
                logits = model(inputs)
            scaler.scale(torch.nn.functional.cross_entropy(logits.float(), labels)).backward()
            scaler.step(optimizer)
            scaler.update()
        wait(device)
        return steps * batch / (time.perf_counter() - began)

    return run


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_rate(precision: str) -> float:
    """Multiplications and additions a second of a large matrix product on the card."""
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=dtype) for _ in range(2))
    for _ in range(3):
        a @ b
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(20):
        a @ b
    torch.cuda.synchronize()
    return 20 * 2 * 8192**3 / (time.perf_counter() - began)


def measure(model: str, case: dict[str, int], device: str, precision: str, rounds: int) -> None:
    """Print one line: the ratio, its spread, and the two rates."""
    from trainables import Fixed, from_params
    from trainables.settling import settle

    side, batch, images = case["side"], case["batch"], case["images"]
    arguments = {"img_size": side} if "vit" in model else {}
    fixed = Fixed(
        model=model, model_args=arguments, pretrained=False, image_size=side, epochs=rounds + 1,
        precision=precision, device=device, augmentation_strength=0.5,
    )  # fmt: skip
    material = material_of(model, side, images, fixed)
    fixed = settle(fixed, material)
    params = {"strategy": "full", "strategy.full.lr": 1e-4, "batch_size": batch}
    trainable = from_params(params, fixed, 0, material)
    bare = bare_steps(trainable, batch, images // batch)
    bare()
    records = trainable.epochs()
    next(records)  # the first epoch warms up
    pairs = [(next(records).metrics["images_per_second"], bare()) for _ in range(rounds)]
    ratios = sorted(loop / alone for loop, alone in pairs)
    loop, alone = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    line = (
        f"| {model} | {side} px, batch {batch} | {fixed.precision} | **{statistics.median(ratios):.2f}** | "
        f"{ratios[0]:.2f} - {ratios[-1]:.2f} | {rounds} | {loop:.0f} | {alone:.0f} |"
    )
    if device == "cuda":
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            trainable.model(torch.randn(2, 3, side, side, device=device)).sum().backward()
        share = counter.get_total_flops() / 2 * loop / matrix_rate(fixed.precision)
        line += f" {share:.1%} |"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16", "fp16"], default="auto")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("models", nargs="*", help="which of the cases; all if none is named")
    args = parser.parse_args()
    from search.execution.cluster import ALLOCATOR

    missing = {name: value for name, value in ALLOCATOR.items() if name not in os.environ}
    if missing:  # as trials run; the allocator reads it at a process's start only
        sys.exit(subprocess.call([sys.executable, *sys.argv], env={**os.environ, **missing}))
    torch.set_num_threads(args.threads)
    cases = CASES if args.device == "cpu" else ON_A_CARD
    if args.device == "cuda":
        print(torch.cuda.get_device_name())
    more = " of the matrix rate |" if args.device == "cuda" else ""
    print(
        "| network | input | arithmetic | loop / bare | range | n | loop, images/s | bare, images/s |" + more
    )
    print("|---|---|---|---|---|---|---|---|" + ("---|" if more else ""))
    for model, case in cases.items():
        if not args.models or model in args.models:
            measure(model, case, args.device, args.precision, args.rounds)


if __name__ == "__main__":
    main()
