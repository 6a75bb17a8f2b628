"""Training and validation images come to the network alike."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from trainables.preflight.result import Result, blocker, passed, warning
from trainables.preflight.setup import Setup, Shown

APART = 1.0
"""Spreads of the training images by which the mean of a channel may differ, and logarithm of the ratio of spreads."""


def check_splits(setup: Setup) -> Iterator[Result]:
    """Whether training and validation images come to the network alike, channel by channel."""
    train, val = setup.train.inputs, setup.val.inputs
    if train.shape[1:] != val.shape[1:]:
        yield blocker(
            "splits", "splits_differ",
            f"training images are {_shape(train)}, but validation images {_shape(val)}",
            "Prepare both splits in the same way.",
        )  # fmt: skip
        return
    over = (0, 2, 3)
    spread = train.std(over).clamp(min=1e-6)
    shift = ((val.mean(over) - train.mean(over)) / spread).abs()
    ratio = (val.std(over).clamp(min=1e-6) / spread).log().abs()
    rough = (_roughness(setup.val) / _roughness(setup.train).clamp(min=1e-6)).clamp(min=1e-6).log().abs()
    figures = {"shift": float(shift.max()), "ratio": float(ratio.max()), "roughness": float(rough)}
    said = (
        f"the mean of a channel differs by {figures['shift']:.2g} spreads between training and validation images, "
        f"spreads by a factor of {float(ratio.max().exp()):.2g}, fine detail by one of {float(rough.exp()):.2g}"
    )
    if figures["shift"] > APART or figures["ratio"] > APART or figures["roughness"] > APART:
        yield warning(
            "splits", "splits_differ", said,
            "Prepare both splits in the same way (scale, normalisation, order of channels, resizing); else the score "
            "says nothing of what was learnt.", **figures,
        )  # fmt: skip
        return
    yield passed("splits", said, **figures)


def _roughness(shown: Shown) -> Tensor:
    """How much neighbours differ, in spreads of the images: resizing in another way changes it."""
    images = shown.inputs
    along = (images[..., 1:] - images[..., :-1]).square().mean()
    return along.sqrt() / images.std().clamp(min=1e-6)


def _shape(inputs: Tensor) -> str:
    channels, height, width = inputs.shape[1:]
    return f"{width} × {height} pixels of {channels} channel{'s' if channels != 1 else ''}"
