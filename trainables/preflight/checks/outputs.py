"""One finite value a class and image, which is no probability yet."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from trainables.preflight.result import Result, blocker, passed, warning
from trainables.preflight.setup import Change, Setup

IMAGES = 16


def check_outputs(setup: Setup) -> Iterator[Result]:
    """One finite value a class and image, which are no probabilities yet."""
    loop = setup.loop()
    inputs = setup.train.inputs[:IMAGES]
    loop.model.eval()
    logits = loop.logits(inputs)
    wanted = (len(inputs), len(setup.classes))
    if tuple(logits.shape) != wanted:
        yield blocker(
            "outputs", "wrong_shape",
            f"for {len(inputs)} images the network must give {list(wanted)}, but gives {list(logits.shape)}",
            "The classifier needs one output a class.",
        )  # fmt: skip
        return
    if not bool(torch.isfinite(logits).all()):
        if Change.FP32 in setup.changes and _finite_in_fp32(setup, inputs):
            yield blocker(
                "outputs", "overflow",
                "the network's outputs are finite in fp32, but not in the study's 16-bit arithmetic",
                "Set precision=bf16 (the same range as fp32) or precision=fp32.",
            )  # fmt: skip
        else:
            yield blocker(
                "outputs", "not_finite", "the network's outputs are not finite on finite images",
                "The weights are broken, or a layer divides by zero.",
            )  # fmt: skip
        return
    if bool((logits >= -1e-4).all()) and bool(((logits.sum(1) - 1).abs() < 1e-3).all()):
        yield warning(
            "outputs", "probabilities",
            "the network's outputs are above 0 and add up to 1: a softmax has been taken, and the loss takes another",
            "Let the network end with its classifier; the loss takes the softmax.",
        )  # fmt: skip
        return
    if len(setup.classes) > 1 and bool((logits.logsumexp(1).abs() < 1e-3).all()):
        yield warning(
            "outputs", "probabilities",
            "the network's outputs are logarithms of probabilities: a softmax has been taken, the loss takes another",
            "Let the network end with its classifier; the loss takes the softmax.",
        )  # fmt: skip
        return
    yield passed("outputs", f"{len(inputs)} images give {list(logits.shape)} finite outputs")


def _finite_in_fp32(setup: Setup, inputs: Tensor) -> bool:
    plain = setup.loop(Change.FP32)
    plain.model.eval()
    return bool(torch.isfinite(plain.logits(inputs)).all())
