"""A kind of diagnosis: its name, from where on it is given, and by whose word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainables.diagnosis.diagnosis import Diagnosis

if TYPE_CHECKING:
    from trainables.protocol import EpochRecord


@dataclass(frozen=True)
class Seen:
    """What a kind's `look` has found.

    Args:
        says: See `Diagnosis`.
        epoch: See `Diagnosis`.
        figures: See `Diagnosis`.
    """

    says: str
    epoch: int
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """One kind of diagnosis.

    Args:
        name: For programs, the same for ever.
        title: In a few words, as a table has room for.
        did: What trainings of this kind did, as the end of a sentence: ``diverged``.
        remedy: What to do about one training, in one sentence.
        advice: What a study can do beside narrowing a range, as the end of a sentence: ``clip gradients``.
        source: A paper or a documentation, by its author and year or its name.
        thresholds: Constant's name → value: from where on it is given.
        fewest: Epochs before which it is never given.
        look: What the epochs of one training show of it; none for a kind that is told in the step where it happens.
        family: Under which name several kinds are added up over a study; its own where it is empty.
    """

    name: str
    title: str
    did: str
    remedy: str
    advice: str
    source: str
    thresholds: Mapping[str, float] = field(default_factory=dict)
    fewest: int = 0
    look: Callable[[Sequence[EpochRecord]], Seen | None] | None = None
    family: str = ""

    @property
    def adds_up_as(self) -> str:
        """Under which name a study counts it."""
        return self.family or self.name

    def diagnosis(self, seen: Seen, remedy: str = "") -> Diagnosis:
        """A diagnosis of this kind.

        Args:
            seen: The evidence.
            remedy: In place of the kind's own.
        """
        return Diagnosis(self.name, seen.says, remedy or self.remedy, seen.epoch, seen.figures)
