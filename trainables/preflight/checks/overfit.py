"""Ten images learnt by heart: what cannot do that cannot do anything."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from trainables.preflight.result import Result, passed, warning
from trainables.preflight.setup import Change, Setup

IMAGES, STEPS, EVERY = 10, 150, 10
"""Images, steps at most, and steps between looks."""

KNOWN = 0.25
"""Share of the loss of guessing below which the images are known by heart."""

PACES = (10.0, 0.1)


@dataclass(frozen=True)
class Learnt:
    """How far it came.

    Args:
        steps: Taken.
        loss: Cross-entropy on the ten images in the end, nats; may be infinite.
        hits: Of the ten.
        losses: At each look.
    """

    steps: int
    loss: float
    hits: int
    losses: tuple[float, ...]

    def is_known(self, images: int, classes: int) -> bool:
        """Whether all images are known by heart."""
        return self.hits == images and self.loss < KNOWN * math.log(max(classes, 2))


def check_overfit(setup: Setup) -> Iterator[Result]:
    """Ten images, over and over, at the recipe's own peak rate.

    Where they are not learnt, one thing at a time is changed until they are, and what it was is said.

    Source: Karpathy, A Recipe for Training Neural Networks (2019): overfit one batch.
    """
    classes = len(setup.classes)
    rows = _ten(setup)
    found = learn(setup, rows)
    figures = {"losses": list(found.losses), "steps": found.steps, "every": EVERY}
    if found.is_known(len(rows), classes):
        yield passed(
            "overfit", f"{found.hits} of {len(rows)} images are learnt by heart after {found.steps} steps, "
            f"loss {found.loss:.2g}", **figures,
        )  # fmt: skip
        return
    said = f"after {found.steps} steps on {len(rows)} images the loss is still {found.loss:.2g}, {found.hits} are right"
    for change in (Change.NO_AUGMENTATION, Change.NO_DROPOUT, Change.FP32):
        if change in setup.changes and learn(setup, rows, change).is_known(len(rows), classes):
            yield warning(
                "overfit", f"needs_{change.name.lower()}", f"{said}; {change.value} they are learnt", _REMEDY[change],
                **figures,
            )  # fmt: skip
            return
    for pace in PACES:
        if learn(setup, rows, pace=pace).is_known(len(rows), classes):
            side = "low" if pace > 1 else "high"
            yield warning(
                "overfit", f"rate_too_{side}",
                f"{said}; at {'ten times' if pace > 1 else 'a tenth of'} the learning rate ({setup.rate * pace:.1g}) "
                "they are learnt",
                f"Search {'higher' if pace > 1 else 'lower'} learning rates.", **figures,
            )  # fmt: skip
            return
    yield warning(
        "overfit", "cannot_overfit",
        f"{said}, whatever is changed about learning rate, augmentation, dropout and arithmetic",
        "Loss, labels or network are at fault: look at the other checks, then at the loss by hand.", **figures,
    )  # fmt: skip


_REMEDY = {
    Change.NO_AUGMENTATION: "Augmentation destroys what tells the classes apart: weaken it; look at the picture grid.",
    Change.NO_DROPOUT: "Search less dropout and stochastic depth.",
    Change.FP32: "Set precision=fp32, or bf16 in place of fp16.",
}


def learn(setup: Setup, rows: torch.Tensor, change: Change = Change.NONE, pace: float = 1.0) -> Learnt:
    """Train on a few images until they are known, or the steps are over.

    Args:
        setup: What is trained.
        rows: Of the training images.
        change: What is different.
        pace: Factor on the learning rate.
    """
    loop = setup.loop(change)
    inputs, labels = setup.train.inputs[rows], setup.train.labels[rows]
    losses: list[float] = []
    found = Learnt(0, math.inf, 0, ())
    for step in range(1, STEPS + 1):
        loop.step(*loop.batch(rows), pace)
        if step % EVERY:
            continue
        loop.model.eval()
        logits = loop.logits(inputs)
        loss = float(functional.cross_entropy(logits, labels.to(logits.device)))
        hits = int((logits.argmax(1).cpu() == labels.cpu()).sum())
        loop.train()
        losses.append(loss)
        found = Learnt(step, loss, hits, tuple(losses))
        if found.is_known(len(rows), len(setup.classes)) or not math.isfinite(loss):
            break
    return found


def _ten(setup: Setup) -> torch.Tensor:
    """One image of each class in turn, ten in all."""
    labels = setup.train.labels.tolist()
    seen: dict[int, int] = {}
    order: list[tuple[int, int]] = []
    for row, label in enumerate(labels):
        seen[label] = seen.get(label, 0) + 1
        order.append((seen[label], row))
    return torch.tensor([row for _, row in sorted(order)[:IMAGES]])
