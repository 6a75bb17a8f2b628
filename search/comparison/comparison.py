"""What a comparison of two recipes found, as values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.answer import estimate
from search.answer.estimate import Estimate
from search.comparison.difference import FIRST, LABELS, SECOND, Difference
from search.comparison.side import Side


@dataclass(frozen=True)
class Trained:
    """One recipe and its trainings.

    Args:
        side: The recipe.
        scores: Seed → best validation score, of trainings that are COMPLETE.
        seconds: Seed → what their epochs took.
        failed: Seed → why, of trainings that failed.
    """

    side: Side
    scores: Mapping[int, float] = field(default_factory=dict)
    seconds: Mapping[int, float] = field(default_factory=dict)
    failed: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ratio:
    """How many times as long B's trainings take as A's, paired by seed.

    Args:
        value: The geometric mean.
        low: The lower end of its 95 % interval; none for a single seed.
        high: The upper end.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Comparison:
    """Two recipes, trained with the same seeds on the same images, as far as that has come.

    Args:
        name: The comparison's own, in the store.
        first: A, what is compared with.
        second: B, what is tried.
        differences: What differs between them.
        seeds: The seeds, in order.
    """

    name: str
    first: Trained
    second: Trained
    differences: Sequence[Difference]
    seeds: Sequence[int]

    @property
    def both(self) -> tuple[Trained, Trained]:
        """A and B."""
        return self.first, self.second

    @property
    def controlled(self) -> bool:
        """Whether one thing differs, so that what is found is due to that."""
        return len(self.differences) == 1

    @property
    def paired(self) -> list[int]:
        """Seeds with which both are COMPLETE."""
        return [seed for seed in self.seeds if seed in self.first.scores and seed in self.second.scores]

    @property
    def left(self) -> int:
        """Trainings that are not over."""
        over = sum(len(one.scores) + len(one.failed) for one in self.both)
        return 2 * len(self.seeds) - over

    @property
    def difference(self) -> Estimate | None:
        """B − A of the best validation score, with its 95 % interval over seeds; none before there is a pair."""
        seeds = self.paired
        return estimate.compare([self.second.scores[s] for s in seeds], [self.first.scores[s] for s in seeds])

    @property
    def ratio(self) -> Ratio | None:
        """How many times as long B takes as A; none where that was not told."""
        ours, theirs = self.first.seconds, self.second.seconds
        seeds = [seed for seed in self.paired if ours.get(seed, 0.0) > 0 and theirs.get(seed, 0.0) > 0]
        found = estimate.estimate([math.log(theirs[seed] / ours[seed]) for seed in seeds])
        if found is None:
            return None
        margin = found.margin
        if margin is None:
            return Ratio(math.exp(found.value), None, None)
        return Ratio(math.exp(found.value), math.exp(found.value - margin), math.exp(found.value + margin))

    @property
    def failing(self) -> str | None:
        """Which of them, and not the other, fails with more seeds than it comes to an end with."""
        fails = {
            label: len(one.failed) > len(one.scores) for label, one in zip(LABELS, self.both, strict=True)
        }
        return (
            None if self.left or len(set(fails.values())) == 1 else max(fails, key=lambda label: fails[label])
        )

    @property
    def better(self) -> str | None:
        """``A`` or ``B``; none where they cannot be told apart."""
        if self.failing is not None:
            return SECOND if self.failing == FIRST else FIRST
        found = self.difference
        said = {"above": SECOND, "below": FIRST}
        return None if found is None else said.get(found.verdict)

    @property
    def verdict(self) -> str:
        """Which is better and by how much, or how many seeds it would take to tell: one sentence."""
        from search.view.comparison import verdict  # words, which nobody needs who only counts

        return verdict(self)

    def to_dict(self) -> dict[str, object]:
        """All of it as plain data that JSON can carry."""
        found, ratio = self.difference, self.ratio
        return {
            "name": self.name,
            "controlled": self.controlled,
            "differences": [
                {"name": one.name, FIRST: one.first, SECOND: one.second, "brings": dict(one.brings)}
                for one in self.differences
            ],
            "seeds": list(self.seeds),
            **{
                label: {
                    **one.side.noted(),
                    "scores": {str(seed): score for seed, score in one.scores.items()},
                    "seconds": {str(seed): seconds for seed, seconds in one.seconds.items()},
                    "failed": {str(seed): why for seed, why in one.failed.items()},
                }
                for label, one in zip(LABELS, self.both, strict=True)
            },
            "difference": None
            if found is None
            else {"value": found.value, "margin": found.margin, "seeds": found.seeds},
            "seconds_ratio": None
            if ratio is None
            else {"value": ratio.value, "low": ratio.low, "high": ratio.high},
            "verdict": self.verdict,
        }
