"""Training images are learnt by heart while validation gets worse."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from trainables.diagnosis.figures import column, percent
from trainables.diagnosis.kind import Kind, Seen

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

FEWEST = 6
LATE = 3
"""Epochs at the end over which figures are averaged."""
RISE = 1.3
"""How far the validation loss has risen above its lowest, as a factor."""
LEAST = 0.1
"""How far at least: near 0 a factor says nothing."""
FALL = 0.8
"""What is left of the training loss meanwhile, as a factor."""
GAIN = 0.01
"""Validation accuracy gained meanwhile from which on the network is too sure of itself rather than worse."""


def look(records: Sequence[EpochRecord]) -> Seen | None:
    """The gap between the two losses grows while the validation loss rises and its accuracy does not."""
    val, train = column(records, "val/loss"), column(records, "train/loss")
    if val is None or train is None:
        return None
    lowest = min(range(len(val)), key=lambda at: val[at])
    if len(val) - 1 - lowest < LATE or val[lowest] < 0:
        return None
    late, late_train = fmean(val[-LATE:]), fmean(train[-LATE:])
    if late < RISE * val[lowest] or late < val[lowest] + LEAST or late_train > FALL * train[lowest]:
        return None
    hits = column(records, "val/accuracy")
    if hits is not None and fmean(hits[-LATE:]) > hits[lowest] + GAIN:
        return None
    return Seen(
        f"The validation loss was lowest in epoch {records[lowest].epoch}, {val[lowest]:.3f}, and is {late:.3f} over "
        f"the last {LATE} ({percent(late / max(val[lowest], 1e-12) - 1)} higher), while the training loss fell from "
        f"{train[lowest]:.3f} to {late_train:.3f}.",
        records[lowest].epoch,
        {"lowest": val[lowest], "late": late, "train_then": train[lowest], "train_late": late_train},
    )


OVERFITTING = Kind(
    name="overfitting",
    title="overfits",
    did="overfitted",
    remedy="Add augmentation, dropout or weight decay, let fewer layers learn, or train for less; more images help.",
    advice="regularise more",
    source="Prechelt, Early Stopping - But When?, 1998: generalisation loss",
    thresholds={
        "FEWEST": FEWEST, "LATE": LATE, "RISE": RISE, "LEAST": LEAST, "FALL": FALL, "GAIN": GAIN,
    },
    fewest=FEWEST,
    look=look,
)  # fmt: skip
