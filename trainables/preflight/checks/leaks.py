"""No class can be read off a mark, and no validation image was learnt from."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from trainables.preflight.result import Result, passed, warning
from trainables.preflight.setup import Setup

MARKED = 0.95
"""Share of images whose class a single pixel may tell."""

SMALL = 0.1
"""Share of a picture that a mark takes, at most."""

COPIED = 0.1
"""Share of the validation images that the training may have seen."""

SAME = 1e-4
"""Difference of two inputs that are the same picture, root mean square, in spreads."""

LEAST, PIXELS = 40, 8
"""Images without which nothing can be told, and pixels that are tried."""


def check_leaks(setup: Setup) -> Iterator[Result]:
    """Whether a class can be read off a single pixel, and whether validation images are among the training images."""
    copied = _copies(setup.train.inputs, setup.val.inputs)
    if copied > COPIED * len(setup.val.labels):
        yield warning(
            "leaks", "leaked_images",
            f"{copied} of {len(setup.val.labels)} validation images are training images too",
            "Split anew; the score says how well the training images are known by heart.", copied=copied,
        )  # fmt: skip
        return
    told = _by_one_pixel(setup.train.inputs, setup.train.labels)
    if told is None:
        yield passed(
            "leaks", f"{copied} of {len(setup.val.labels)} validation images are among the training images"
        )
        return
    share, wide = told
    said = f"a single pixel tells the class of {100 * share:.0f} % of the training images"
    if share > MARKED and wide < SMALL:
        yield warning(
            "leaks", "leaked_labels", f"{said}, and few others do: the label is written into the picture",
            "Cut the mark off (a frame, a stamp, a caption), or what is learnt is the mark.", share=share,
        )  # fmt: skip
        return
    yield passed(
        "leaks",
        f"{said}, {copied} of {len(setup.val.labels)} validation images are training images",
        share=share,
    )


def _copies(train: Tensor, val: Tensor) -> int:
    """Validation images that are a training image, pixel by pixel."""
    if train.shape[1:] != val.shape[1:]:
        return 0
    one, other = (images.flatten(1).cpu() for images in (train, val))
    distance = torch.cdist(other, one).min(1).values / math.sqrt(one.shape[1])
    return int((distance < SAME * float(one.std().clamp(min=1e-6)) + 1e-6).sum())


def _by_one_pixel(inputs: Tensor, labels: Tensor) -> tuple[float, float] | None:
    """What single pixels tell; none of too few images.

    Returns:
        Share of images whose class the best one tells, in 2-fold cross-validation, and share of the pixels that set
        classes apart by a tenth of what it does, or more (variance of the classes' means over that within them): a mark
        is small, what is on a picture is not.
    """
    counts = labels.bincount()
    present = int((counts > 0).sum())
    if present < 2 or int(counts[counts > 0].min()) < 2 or len(labels) < LEAST:
        return None
    flat, wanted = inputs.flatten(1).cpu(), labels.cpu()
    means = torch.stack([flat[wanted == label].mean(0) for label in wanted.unique()])
    within = torch.stack([flat[wanted == label].var(0) for label in wanted.unique()]).mean(0)
    tells = (means.var(0) / (within + 1e-9)).nan_to_num()
    best = tells.argsort(descending=True)[:8]
    tree = DecisionTreeClassifier(max_leaf_nodes=max(4 * present, 8), random_state=0)
    shares = [
        float(
            (cross_val_predict(tree, flat[:, [pixel]].numpy(), wanted.numpy(), cv=2) == wanted.numpy()).mean()
        )
        for pixel in best.tolist()
    ]
    return max(shares), float((tells >= 0.1 * tells.max()).float().mean())
