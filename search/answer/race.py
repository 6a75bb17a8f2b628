"""Which of a few candidates is best, with no more trainings than it takes to tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

FEWEST = 2
"""Seeds before anybody is told from anybody."""
CHANCE = 0.1
"""With what probability, at most, one as good as the leader may lie so far behind and be left out for it."""


@dataclass(frozen=True)
class Race:
    """How far the race among the finalists has come.

    Args:
        contenders: Who may still win, the leader first; empty where every training failed.
        seeds: With how many they are trained, as far as is decided.
        over: Whether the first of them has won.
    """

    contenders: Sequence[str]
    seeds: int
    over: bool


def contenders(scores: Mapping[str, Sequence[float]]) -> list[str]:
    """Who may still be the best, the leader first, the others by their means.

    One is out where it lies further behind the leader than chance explains, and where trainings of it failed that
    others' did not. Chance is what is left of the scores when each candidate's mean and each seed's are taken off
    (a two-way layout), the same for all candidates.

    Args:
        scores: Candidate → its scores with the same seeds in the same order; a failed training has none. The order of
            the candidates decides among equal means.

    Source: racing with blocks, Birattari et al., "A racing algorithm for configuring metaheuristics", GECCO 2002; with
    Student's test, as in irace (López-Ibáñez et al., Operations Research Perspectives 3, 2016).
    """
    rounds = max((len(one) for one in scores.values()), default=0)
    if not rounds:
        return []
    whole = {label: list(one) for label, one in scores.items() if len(one) == rounds}
    ranked = sorted(whole, key=lambda label: -fmean(whole[label]))
    if rounds < FEWEST or len(ranked) == 1:
        return ranked
    allowed = _allowed(list(whole.values()))
    best = fmean(whole[ranked[0]])
    return [label for label in ranked if best - fmean(whole[label]) <= allowed + 1e-12]


def _allowed(scores: Sequence[Sequence[float]]) -> float:
    """How far behind the leader chance may put one, of [candidates][seeds]."""
    from scipy.special import stdtrit

    of_seeds = [fmean(column) for column in zip(*scores, strict=True)]
    whole = fmean(of_seeds)
    freedom = (len(scores) - 1) * (len(of_seeds) - 1)
    rest = sum(
        (score - fmean(row) - of_seed + whole) ** 2
        for row in scores
        for score, of_seed in zip(row, of_seeds, strict=True)
    )
    return float(stdtrit(freedom, 1 - CHANCE)) * math.sqrt(2 * rest / freedom / len(of_seeds))
