"""The training loss jumps back to where it began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainables.diagnosis.figures import column, known
from trainables.diagnosis.kind import Kind, Seen

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

FEWEST = 3
DOWN = 0.5
"""Share of the first epoch's loss to which it must have come down before."""


def look(records: Sequence[EpochRecord]) -> Seen | None:
    """An epoch whose loss is as high as the first one's, after one in which it was half of that."""
    losses = column(records, "train/loss")
    if losses is None or losses[0] <= 0:
        return None
    spikes, lowest = [], losses[0]
    for at, loss in enumerate(losses[1:], start=1):
        if lowest <= DOWN * losses[0] and loss >= losses[0]:
            spikes.append((at, lowest))
            lowest = losses[0]  # the next one needs a fall of its own
        lowest = min(lowest, loss)
    if not spikes:
        return None
    at, before = spikes[0]
    more = "" if len(spikes) == 1 else f"; so {len(spikes)} times"
    norm = known(records[at], "train/grad_norm_max")
    gradient = "" if norm is None else f", with gradients as long as {norm:.2g}"
    return Seen(
        f"In epoch {records[at].epoch} the training loss jumped from {before:.3f} to {losses[at]:.3f}, above the "
        f"{losses[0]:.3f} of the first epoch{gradient}{more}.",
        records[at].epoch,
        {"spikes": len(spikes), "before": before, "loss": losses[at]},
    )


SPIKES = Kind(
    name="spikes",
    title="loss spikes",
    did="had spikes in their loss",
    remedy="Clip gradients (`clipping: norm`), lower the learning rate, or warm up for longer.",
    advice="clip gradients",
    source="Chowdhery et al., PaLM, 2022 (arXiv:2204.02311), section 5.1",
    thresholds={"FEWEST": FEWEST, "DOWN": DOWN},
    fewest=FEWEST,
    look=look,
)
