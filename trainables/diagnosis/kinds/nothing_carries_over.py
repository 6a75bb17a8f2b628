"""Training images are fitted, and validation stays at chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainables.diagnosis.figures import CHANCE, column, percent, skill
from trainables.diagnosis.kind import Kind, Seen
from trainables.diagnosis.kinds.exploding_group import torn

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

FEWEST = 3
FITTED = 0.5
"""Training accuracy, of the way from chance to perfection, from which on training images are fitted."""
CARRIES = 0.1
"""Validation accuracy, on the same scale, below which nothing carries over."""


def look(records: Sequence[EpochRecord]) -> Seen | None:
    """So in each of the last epochs. Not where a high rate has torn the network apart: that is another kind."""
    last = records[-FEWEST:]
    chances, train, val = (column(last, name) for name in (CHANCE, "train/accuracy", "val/accuracy"))
    if chances is None or train is None or val is None or torn(records) is not None:
        return None
    chance = chances[-1]
    if min(skill(one, chance) for one in train) < FITTED or max(skill(one, chance) for one in val) >= CARRIES:
        return None
    return Seen(
        f"Training images are recognised in {percent(train[-1])} of all cases and validation images in "
        f"{percent(val[-1])}, where chance gives {percent(chance)}, in each of the last {FEWEST} epochs.",
        records[-1].epoch,
        {"train_accuracy": train[-1], "val_accuracy": val[-1], "chance": chance},
    )


NOTHING_CARRIES_OVER = Kind(
    name="nothing_carries_over",
    title="carries nothing over",
    did="carried nothing over from training to validation images",
    remedy="See whether labels are shuffled, and whether both splits are decoded and normalised alike: "
    "`finetune-search check` and `preflight` look.",
    advice="look at the labels and at what both splits go through",
    source="Zhang et al., Understanding deep learning requires rethinking generalization, ICLR 2017 (arXiv:1611.03530)",
    thresholds={"FEWEST": FEWEST, "FITTED": FITTED, "CARRIES": CARRIES},
    fewest=FEWEST,
    look=look,
)
