"""The training loss does not move."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from trainables.diagnosis.figures import RATIO, column
from trainables.diagnosis.kind import Kind, Seen
from trainables.diagnosis.kinds.exploding_group import torn

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

FEWEST = 3
MOVES = 0.02
"""Share of the first epoch's loss that the mean of the later half must have fallen."""
GAINS = 0.02
"""Training accuracy that must have been gained likewise."""
LEARNT = 0.9
"""From this training accuracy on there is nothing left to move."""
STILL = 1e-6
"""A step's length over that of the weights; where none is longer, nothing can move whatever the loss does."""


def look(records: Sequence[EpochRecord]) -> Seen | None:
    """Loss and accuracy stay what they were in the first epoch, or no step moves a weight.

    Not where a high rate has torn the network apart: that is another kind.
    """
    losses, hits = column(records, "train/loss"), column(records, "train/accuracy")
    rates, ratios = column(records, "lr"), column(records, RATIO)
    if losses is None or torn(records) is not None:
        return None
    late = fmean(losses[len(losses) // 2 :])
    moved = losses[0] <= 0 or late <= (1 - MOVES) * losses[0]
    if hits is not None:
        moved = moved or hits[0] >= LEARNT or fmean(hits[len(hits) // 2 :]) >= hits[0] + GAINS
    if moved and (ratios is None or max(ratios) > STILL):
        return None
    at = "" if rates is None else f", at rates up to {max(rates):.2g}"
    steps = "" if ratios is None else f"; a step changed weights by {max(ratios):.1e} of their length at most"
    return Seen(
        f"The training loss was {losses[0]:.3f} in the first epoch and {late:.3f} over the later half of "
        f"{len(losses)}{at}{steps}.",
        records[-1].epoch,
        {"first": losses[0], "late": late} | ({} if rates is None else {"lr": max(rates)}),
    )


NOT_LEARNING = Kind(
    name="not_learning",
    title="learns nothing",
    did="learnt nothing",
    remedy="Raise the learning rate by factors of ten, and see that more than a frozen part of the network is trained.",
    advice="train more of the network",
    source="Karpathy, A Recipe for Training Neural Networks (2019)",
    thresholds={"FEWEST": FEWEST, "MOVES": MOVES, "GAINS": GAINS, "LEARNT": LEARNT, "STILL": STILL},
    fewest=FEWEST,
    look=look,
)
