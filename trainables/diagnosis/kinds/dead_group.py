"""A group of weights that should learn stands still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainables.diagnosis.figures import RATIO, groups, known
from trainables.diagnosis.kind import Kind, Seen

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

FEWEST = 3
DEAD = 1e-6
"""A step's length over that of the weights of the group; 1e-3 is usual."""


def look(records: Sequence[EpochRecord]) -> Seen | None:
    """In none of the epochs in which it learnt did a step move it, and others were moved.

    A group is not measured in epochs in which its strategy has frozen it.
    """
    if max((known(record, RATIO) or 0.0 for record in records), default=0.0) < DEAD:
        return None  # nothing moves at all: that is another kind
    dead: dict[str, float] = {}
    for group in groups(records):
        there = [ratio for one in records if (ratio := known(one, f"{RATIO}/{group}")) is not None]
        if len(there) >= FEWEST and max(there) < DEAD:
            dead[group] = max(there)
    if not dead:
        return None
    first = max(dead, key=lambda group: (-dead[group], group))
    more = f" (and {len(dead) - 1} other groups)" if len(dead) > 1 else ""
    return Seen(
        f"In {len(records)} epochs no step changed the weights of `{first}`{more} by more than {dead[first]:.1e} of "
        "their length, though they should learn.",
        records[-1].epoch,
        {"groups": sorted(dead), "ratio": max(dead.values())},
    )


DEAD_GROUP = Kind(
    name="dead_group",
    title="a group stands still",
    did="left a group of weights standing still",
    remedy="Raise the group's own rate (`ratio`, `bottom`), or see whether gradients reach it: a detached tensor, a "
    "branch that is not taken, units that are always off.",
    advice="raise the rates of the lower layers",
    source="Karpathy, CS231n notes, Neural Networks Part 3: ratio of weights and updates (about 1e-3)",
    thresholds={"FEWEST": FEWEST, "DEAD": DEAD},
    fewest=FEWEST,
    look=look,
)
