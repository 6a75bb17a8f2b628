"""A training stands still far from its end."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from trainables.diagnosis.figures import CHANCE, column, percent, skill
from trainables.diagnosis.kind import Kind, Seen

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

FEWEST = 10
FLAT = 0.01
"""Share by which the mean loss of one half of the window is below that of the other at most."""
DONE = 0.7
"""Accuracy, of the way from chance to perfection, from which on standing still is having arrived."""
BEGUN = 0.1
"""The same, below which nothing was learnt at all: that is another kind."""
FAST = 0.5
"""Share of the highest rate that the rate has kept: a schedule that comes down makes every training stand still."""


def look(records: Sequence[EpochRecord]) -> Seen | None:
    """Over the last half of the epochs neither loss has fallen, though the rate has not come down."""
    window = records[len(records) // 2 :]
    losses = [column(window, name) for name in ("train/loss", "val/loss")]
    hits = [column(window, name) for name in ("train/accuracy", "val/accuracy")]
    rates = column(records, "lr")
    if any(one is None or not _flat(one) for one in losses) or any(one is None for one in hits):
        return None
    chance = (column(window, CHANCE) or [0.0])[-1]
    train, val = (fmean(one) for one in hits if one is not None)
    if not BEGUN <= skill(train, chance) <= DONE or skill(val, chance) > DONE:
        return None
    if rates is not None and min(rates[len(records) // 2 :]) < FAST * max(rates):
        return None
    at = "" if rates is None else f", at a rate of {rates[-1]:.2g}"
    loss = fmean(losses[0] or [0.0])
    return Seen(
        f"Over the last {len(window)} epochs the training loss stayed at {loss:.3f} and the accuracy at "
        f"{percent(train)} of the training and {percent(val)} of the validation images{at}.",
        window[0].epoch,
        {"train_loss": loss, "train_accuracy": train, "val_accuracy": val},
    )


def _flat(losses: Sequence[float]) -> bool:
    middle = len(losses) // 2
    before, after = fmean(losses[:middle]), fmean(losses[middle:])
    return abs(before - after) <= FLAT * abs(before)


PLATEAU = Kind(
    name="plateau",
    title="stands still",
    did="stood still",
    remedy="Let the rate come down (`schedule: cosine`), let more of the network learn, or regularise less.",
    advice="let the rate come down, or let more of the network learn",
    source="PyTorch documentation, torch.optim.lr_scheduler.ReduceLROnPlateau",
    thresholds={"FEWEST": FEWEST, "FLAT": FLAT, "DONE": DONE, "BEGUN": BEGUN, "FAST": FAST},
    fewest=FEWEST,
    look=look,
)
