"""What a confirmation says, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.answer.estimate import Estimate, compare, estimate
from search.answer.hits import Hits
from spaces import Params
from trainables.soundness.soundness import Soundness


@dataclass(frozen=True)
class Confirmed:
    """A recipe trained again with new seeds.

    Args:
        label: ``trial 12`` or ``baseline``.
        number: Of the search's trial that it comes from.
        params: The recipe.
        race: Best validation score of each training that chose among the finalists, with seeds of their own.
        val: Best validation score of each training that measured it, with further seeds; of the winner and the
            baseline alone.
        test: Test accuracy of each of these, where the test split was opened for it.
        hits: Which test images each is right on, where that is known.
        soundness: How good they are beyond their test accuracy, where that was looked at.
    """

    label: str
    number: int
    params: Params
    race: Sequence[float] = ()
    val: Sequence[float] = ()
    test: Sequence[float] = ()
    hits: Sequence[Hits] = ()
    soundness: Soundness | None = None

    @property
    def values(self) -> Sequence[float]:
        """What it is measured by: test accuracies where there are any, else validation scores."""
        return self.test or self.val

    @property
    def estimate(self) -> Estimate | None:
        """Of the mean of `values`."""
        return estimate(self.values, self.hits)


@dataclass(frozen=True)
class Answer:
    """What the confirmation says.

    Args:
        winner: Whom the race among the finalists left; measured with seeds that had no part in choosing it.
        baseline: The recipe to beat, measured with the same seeds; none if no training of it is COMPLETE.
        finalists: All finalists, the winner first, the others by their scores in the race.
        optimism: By how much the search's own best score exceeds the winner's mean on the measuring seeds.
        openings: When and by whom the test split was opened; once is as it should be.
        left: Trainings of the measurement that are not over.
    """

    winner: Confirmed
    baseline: Confirmed | None
    finalists: Sequence[Confirmed]
    optimism: float
    openings: Sequence[str] = ()
    left: int = 0

    @property
    def difference(self) -> Estimate | None:
        """Winner − baseline, paired by seed and by test image; none without a baseline, or where that won."""
        ours, theirs = self.winner, self.baseline
        if theirs is None or ours.label == theirs.label:
            return None
        return compare(ours.values, theirs.values, ours.hits, theirs.hits)
