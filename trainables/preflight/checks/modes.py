"""In evaluation an image is seen by itself."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.preflight.result import Result, blocker, passed, warning
from trainables.preflight.setup import Setup

IMAGES = 16


def check_modes(setup: Setup) -> Iterator[Result]:
    """In evaluation an image's outputs depend on it alone, are the same each time, and leave the network as it is."""
    loop = setup.loop()
    inputs = setup.train.inputs[:IMAGES]
    if len(inputs) < 4:
        yield passed("modes", "too few images to see whether they depend on each other")
        return
    model = loop.model
    model.eval()
    before = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
    whole, again = loop.logits(inputs), loop.logits(inputs)
    half = loop.logits(inputs[: len(inputs) // 2])
    scale = float(whole.std().clamp(min=1e-6))
    changed = [name for name, buffer in model.named_buffers() if not torch.equal(before[name], buffer)]
    norms = [
        name for name, module in model.named_modules() if isinstance(module, _BatchNorm) and module.training
    ]
    apart = float((whole[: len(half)] - half).abs().max()) / scale
    if norms or changed or apart > 0.05:
        which = norms[0] if norms else changed[0] if changed else "a layer"
        yield blocker(
            "modes", "evaluates_in_training_mode",
            f"in evaluation an image's outputs depend on the others of its batch ({which!r} is in training mode)",
            "`model.eval()` must reach every layer; a BatchNorm that keeps counting makes scores depend on the batch.",
        )  # fmt: skip
        return
    if float((whole - again).abs().max()) / scale > 1e-3:
        yield warning(
            "modes", "evaluates_at_random", "in evaluation the same image gives other outputs each time",
            "Dropout or an augmentation goes on in evaluation; `model.eval()` must reach it.",
        )  # fmt: skip
        return
    yield passed("modes", "in evaluation an image's outputs depend on it alone")
