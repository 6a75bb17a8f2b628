"""The loss of a network that has not learnt yet."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch.nn import functional

from trainables.preflight.result import Result, passed, warning
from trainables.preflight.setup import Setup

FAR = 1.0
"""Nats by which a new network's loss may lie above that of guessing, ln(classes); or as much as that, if more."""

IMAGES = 64


def check_first_loss(setup: Setup) -> Iterator[Result]:
    """A network whose classifier is new knows nothing of the classes: its cross-entropy is about ln(classes).

    Source: Karpathy, A Recipe for Training Neural Networks (2019): verify loss at initialisation.
    """
    loop = setup.loop()
    loop.train()
    shown = setup.train
    logits = loop.logits(shown.inputs[:IMAGES])
    loss = float(functional.cross_entropy(logits, shown.labels[:IMAGES].to(logits.device)))
    guess = math.log(len(setup.classes))
    said = f"the first loss is {loss:.2f}, that of guessing among {len(setup.classes)} classes is {guess:.2f}"
    if loss > guess + max(FAR, guess):
        yield warning(
            "first_loss", "first_loss_high", said,
            "The new classifier begins with large weights or on large features: smaller ones spare the first epochs.",
            loss=loss, guess=guess,
        )  # fmt: skip
    elif loss < guess / 2:
        yield warning(
            "first_loss", "first_loss_low", f"{said}: the network knows the classes before it has learnt any",
            "Its classifier is not new, or the labels are among the inputs.", loss=loss, guess=guess,
        )  # fmt: skip
    else:
        yield passed("first_loss", said, loss=loss, guess=guess)
