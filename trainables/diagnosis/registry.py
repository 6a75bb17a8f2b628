"""Every kind of diagnosis, the worst first, and what the epochs of a training show of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainables.diagnosis.diagnosis import Diagnosis
from trainables.diagnosis.kind import Kind, Seen
from trainables.diagnosis.kinds import divergence
from trainables.diagnosis.kinds.dead_group import DEAD_GROUP
from trainables.diagnosis.kinds.exploding_group import EXPLODING_GROUP
from trainables.diagnosis.kinds.loss_scale_collapse import LOSS_SCALE_COLLAPSE
from trainables.diagnosis.kinds.not_learning import NOT_LEARNING
from trainables.diagnosis.kinds.nothing_carries_over import NOTHING_CARRIES_OVER
from trainables.diagnosis.kinds.overfitting import OVERFITTING
from trainables.diagnosis.kinds.plateau import PLATEAU
from trainables.diagnosis.kinds.spikes import SPIKES

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        divergence.BAD_INPUT,
        divergence.BROKEN_WEIGHTS,
        divergence.FP16_OVERFLOW,
        divergence.INFINITE_LOSS,
        divergence.RATE_TOO_HIGH,
        divergence.DIVERGED,
        LOSS_SCALE_COLLAPSE,
        EXPLODING_GROUP,
        NOT_LEARNING,
        NOTHING_CARRIES_OVER,
        DEAD_GROUP,
        SPIKES,
        OVERFITTING,
        PLATEAU,
    )
}
"""Name → kind. To add one, write a file in `trainables.diagnosis.kinds`, name it here and in docs/diagnosis.md."""


def diagnose(records: Sequence[EpochRecord]) -> list[Diagnosis]:
    """What is wrong with a training by what its epochs showed, the worst first; empty where nothing is.

    Metrics are looked for under the names of the contract (``train/loss``, ``val/accuracy``, …), whoever measured them;
    what was not measured is not judged. Of a trial that trains several folds each is looked at by itself, and of each
    kind the first that shows it is told.

    Args:
        records: In order of their epochs.
    """
    folds: dict[float, list[EpochRecord]] = {}
    for record in records:
        folds.setdefault(record.metrics.get("fold", 1.0), []).append(record)
    return [found for kind in KINDS.values() if (found := _first(kind, list(folds.values()))) is not None]


def _first(kind: Kind, trainings: Sequence[Sequence[EpochRecord]]) -> Diagnosis | None:
    for training in trainings:
        seen = kind.look(training) if kind.look is not None and len(training) >= kind.fewest else None
        if seen is not None:
            return kind.diagnosis(seen)
    return None


def unexplained(epoch: int) -> Diagnosis:
    """Of a training of which no more is known than that it diverged.

    Args:
        epoch: In which epoch.
    """
    return divergence.DIVERGED.diagnosis(Seen(f"It diverged in epoch {epoch}; nobody said why.", epoch))


def by_severity(diagnoses: Sequence[Diagnosis]) -> list[Diagnosis]:
    """The worst first; those of a kind that is not known (a later version's) last."""
    order = {name: place for place, name in enumerate(KINDS)}
    return sorted(diagnoses, key=lambda one: order.get(one.name, len(order)))


def diagnosed(
    records: Sequence[EpochRecord], diverged: bool, cause: Diagnosis | None = None
) -> list[Diagnosis]:
    """What is wrong with a training, the worst first, why it diverged among it.

    Args:
        records: Of its epochs.
        diverged: Whether its recipe made it fail.
        cause: Why, if that is known.
    """
    epoch = records[-1].epoch + 1 if records else 1
    first = cause or (unexplained(epoch) if diverged else None)
    return by_severity([*([first] if first is not None else []), *diagnose(records)])


def title_of(name: str) -> str:
    """A kind in a few words; its name where it is not known."""
    return KINDS[name].title if name in KINDS else name.replace("_", " ")
