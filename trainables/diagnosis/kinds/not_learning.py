"""The training loss does not move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainables.diagnosis.figures import RATIO, column
from trainables.diagnosis.kind import Kind, Seen

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

FEWEST = 3
MOVES = 0.01
"""Share of the first epoch's loss by which it must have fallen in one of the others."""
GAINS = 0.02
"""Training accuracy that must have been gained."""
LEARNT = 0.9
"""From this training accuracy on there is nothing left to move."""


def look(records: Sequence[EpochRecord]) -> Seen | None:
    """In no epoch is the training loss below the first one's, nor the training accuracy above it."""
    losses = column(records, "train/loss")
    if losses is None or losses[0] <= 0 or min(losses[1:]) <= (1 - MOVES) * losses[0]:
        return None
    hits = column(records, "train/accuracy")
    if hits is not None and (hits[0] >= LEARNT or max(hits[1:]) >= hits[0] + GAINS):
        return None
    rates, ratios = column(records, "lr"), column(records, RATIO)
    at = "" if rates is None else f", at rates up to {max(rates):.2g}"
    steps = "" if ratios is None else f"; a step changes weights by {max(ratios):.1e} of their length at most"
    return Seen(
        f"The training loss was {losses[0]:.3f} in the first epoch and never below {min(losses[1:]):.3f} in the "
        f"{len(losses) - 1} that followed{at}{steps}.",
        records[-1].epoch,
        {"first": losses[0], "lowest": min(losses[1:])} | ({} if rates is None else {"lr": max(rates)}),
    )


NOT_LEARNING = Kind(
    name="not_learning",
    title="learns nothing",
    did="learnt nothing",
    remedy="Raise the learning rate by factors of ten, and see that more than a frozen part of the network is trained.",
    advice="train more of the network",
    source="Karpathy, A Recipe for Training Neural Networks (2019)",
    thresholds={"FEWEST": FEWEST, "MOVES": MOVES, "GAINS": GAINS, "LEARNT": LEARNT},
    fewest=FEWEST,
    look=look,
)
