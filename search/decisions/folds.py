"""Early stopping between the folds of a trial: ASHA within the first, a signed-rank test from fold to fold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from search.decisions.budget import UNLIMITED, Left
from search.decisions.history import History
from search.decisions.scheduler import Decision, Scheduler

SURE = 0.1
"""Greatest p-value at which a trial counts as worse than the best; what Optuna's `WilcoxonPruner` takes."""


class FoldScheduler:
    """Judges trials whose folds follow each other.

    Within the first fold another scheduler decides. At the end of each later one the scores of the trial's folds
    are held against those of the best trial that has finished all of its: if they are worse by Wilcoxon's
    signed-rank test, it is stopped. With so few folds that can be as soon as four of them differ in the same
    direction (p = 1/16); three are never enough.

    Args:
        first: Judges the first fold.
        epochs: Of a fold.
        folds: How many.

    Source: Wilcoxon, "Individual Comparisons by Ranking Methods" (Biometrics Bulletin, 1945); Optuna's
    `WilcoxonPruner` does the same with the steps of a trial, and likewise spares one whose mean is no worse.
    """

    def __init__(self, first: Scheduler, epochs: int, folds: int) -> None:
        self._first, self._epochs, self._folds = first, epochs, folds
        self._means: dict[int, dict[int, float]] = {}

    @property
    def rungs(self) -> frozenset[int]:
        """Those of the first fold, and the end of each."""
        return frozenset((*self._first.rungs, *(fold * self._epochs for fold in range(1, self._folds + 1))))

    def on_record(self, history: History, number: int, epoch: int, score: float) -> Decision:
        """Judge trial `number` by its `score` so far, the mean over the folds that it has begun, at `epoch`."""
        if epoch <= self._epochs:
            decision = self._first.on_record(history, number, epoch, score)
            if epoch < self._epochs:
                return decision
        if epoch % self._epochs:
            return Decision.CONTINUE
        fold = epoch // self._epochs
        self._means.setdefault(number, {})[fold] = score
        if fold == self._folds:
            return Decision.STOP
        best = self._best(number)
        if best is not None and worse(self._scores(number, fold), self._scores(best, fold)):
            return Decision.STOP
        return Decision.CONTINUE

    def resume(self, history: History, *, closing: bool, left: Left = UNLIMITED) -> int | None:
        """Trials pause within their first fold alone, so its scheduler knows."""
        return self._first.resume(history, closing=closing, left=left)

    def closes(self, history: History, left: Left) -> bool:
        """What the first folds' scheduler finds."""
        return self._first.closes(history, left)

    def _best(self, number: int) -> int | None:
        """The trial of the highest score among those that have finished all folds, this one left out."""
        finished = {
            other: means[self._folds]
            for other, means in self._means.items()
            if other != number and len(means) == self._folds
        }
        return max(finished, key=lambda other: (finished[other], -other)) if finished else None

    def _scores(self, number: int, folds: int) -> list[float]:
        """Of each of the first folds alone: what is known are means over the first ones."""
        means = self._means[number]
        sums = [0.0, *(fold * means.get(fold, 0.0) for fold in range(1, folds + 1))]
        return [later - earlier for earlier, later in pairwise(sums)]


def worse(scores: Sequence[float], others: Sequence[float], sure: float = SURE) -> bool:
    """Whether `scores` are worse than `others`, pair by pair, beyond chance.

    Args:
        scores: One a fold.
        others: Another trial's, of the same folds.
        sure: Greatest p-value of a one-sided test.
    """
    from scipy.stats import wilcoxon

    # Folds that differ by less than rounding are alike: scores are shares of a few hundred images.
    differences = [round(one - other, 9) for one, other in zip(scores, others, strict=True)]
    if not any(differences) or sum(differences) >= 0:
        return False
    return bool(wilcoxon(differences, alternative="less", zero_method="zsplit").pvalue <= sure)
