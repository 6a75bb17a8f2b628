"""Steps are as long as the weights that they change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainables.diagnosis.figures import RATIO, groups, known
from trainables.diagnosis.kind import Kind, Seen

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

EXPLODES = 0.1
"""A step's length over that of all weights that learn; 1e-3 is usual."""
GROUP_EXPLODES = 1.0
"""The same of one group, which may be a new classifier that has everything to learn."""


def torn(records: Sequence[EpochRecord]) -> tuple[EpochRecord, str, float] | None:
    """The first epoch in which a step was so long, the group in which it was (empty for all), and the ratio."""
    named = [
        (RATIO, "", EXPLODES),
        *((f"{RATIO}/{group}", group, GROUP_EXPLODES) for group in groups(records)),
    ]
    for record in records:
        for name, group, most in named:
            ratio = known(record, name)
            if ratio is not None and ratio >= most:
                return record, group, ratio
    return None


def look(records: Sequence[EpochRecord]) -> Seen | None:
    """In some epoch, for all weights or for one group."""
    found = torn(records)
    if found is None:
        return None
    record, group, ratio = found
    what = f"the weights of `{group}`" if group else "the weights"
    rate = known(record, f"lr/{group}" if group else "lr")
    at = "" if rate is None else f" at a rate of {rate:.2g}"
    return Seen(
        f"In epoch {record.epoch} one step changed {what} by {percent_of(ratio)} of their length{at}, where about "
        "0.1 % is usual.",
        record.epoch,
        {"ratio": ratio, "group": group} | ({} if rate is None else {"lr": rate}),
    )


def percent_of(ratio: float) -> str:
    """``24 %``, ``1.2e+04 %``."""
    return f"{100 * ratio:.2g} %"


EXPLODING_GROUP = Kind(
    name="exploding_group",
    title="steps tear weights apart",
    did="tore their weights apart",
    remedy="Lower the learning rate by a factor of ten or more, or warm up for longer; clipping does not help where "
    "an optimizer scales its steps (Adam and its kin).",
    advice="warm up for longer",
    source="Karpathy, CS231n notes, Neural Networks Part 3: ratio of weights and updates (about 1e-3)",
    thresholds={"EXPLODES": EXPLODES, "GROUP_EXPLODES": GROUP_EXPLODES},
    fewest=1,
    look=look,
)
