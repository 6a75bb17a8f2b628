"""The loss scale of fp16 has come down until it is of no use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainables.diagnosis.figures import known
from trainables.diagnosis.kind import Kind, Seen

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

COLLAPSED = 1.0
"""A loss scale of this or less; torch begins with 65536 and halves it whenever a gradient overflows."""


def look(records: Sequence[EpochRecord]) -> Seen | None:
    """At the end of some epoch."""
    for record in records:
        scale = known(record, "train/loss_scale")
        if scale is not None and scale <= COLLAPSED:
            skipped = known(record, "train/skipped_steps")
            steps = "" if skipped is None else f", and {skipped:.0f} of its steps were skipped"
            return Seen(
                f"After epoch {record.epoch} the loss scale was {scale:.3g}{steps}: gradients overflow fp16 however "
                "little they are scaled.",
                record.epoch,
                {"loss_scale": scale},
            )
    return None


LOSS_SCALE_COLLAPSE = Kind(
    name="loss_scale_collapse",
    title="loss scale collapses",
    did="lost their loss scale",
    remedy="Train in bf16 or fp32 (`--set precision=bf16`), or lower the learning rate.",
    advice="set precision=bf16",
    source="PyTorch documentation, torch.amp.GradScaler; Micikevicius et al., ICLR 2018 (arXiv:1710.03740)",
    thresholds={"COLLAPSED": COLLAPSED},
    fewest=1,
    look=look,
)
