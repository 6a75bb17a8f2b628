"""Which of a few candidates is best, with no more trainings than it takes to tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

FEWEST = 2
"""Seeds before anybody is told from anybody."""
MOST = 3
"""Seeds after which the leader has won, however close: more seeds are to measure a winner, not to choose another."""
CHANCE = 0.1
"""With what probability, at one look, one of two equals lies so far behind the other that it is left out."""


@dataclass(frozen=True)
class Race:
    """How far the race among the finalists has come.

    Args:
        contenders: Who may still win; once it is over the winner is first. Empty where every training failed.
        seeds: With how many they are trained, as far as is decided.
        over: Whether the first of them has won.
    """

    contenders: Sequence[str]
    seeds: int
    over: bool


def step(contenders: int, workers: int, fewest: int) -> int:
    """With how many more seeds each is trained before anybody is told from anybody: more where workers would idle.

    Args:
        contenders: How many.
        workers: Trainings at a time.
        fewest: Seeds.
    """
    return max(fewest, workers // contenders)


def rounds(finalists: int, most: int, workers: int) -> list[int]:
    """The steps of a race that goes to its end with everybody in it.

    Args:
        finalists: How many.
        most: Seeds after which it is over.
        workers: Trainings at a time.
    """
    steps: list[int] = []
    while finalists > 1 and sum(steps) < most:
        steps.append(min(most - sum(steps), step(finalists, workers, 1 if steps else FEWEST)))
    return steps


def most_trainings(finalists: int, seeds: int) -> int:
    """How many trainings a confirmation may take: a race to its end, then the winner's and the baseline's.

    Args:
        finalists: How many; 0 for no confirmation.
        seeds: With how many the winner is measured.
    """
    race = finalists * min(seeds, MOST) if finalists > 1 else 0
    return race + 2 * seeds if finalists else 0


def contenders(scores: Mapping[str, Sequence[float | None]]) -> list[str]:
    """Who may still be the best, the leader first, the others by their means.

    One is out where it lies further behind the leader than chance explains, and where more trainings of it failed than
    of others. Chance is what is left of the scores when each candidate's mean and each seed's are taken off (a two-way
    layout), the same for all candidates.

    Args:
        scores: Candidate → its scores with the same seeds in the same order, none for a training that failed. The order
            of the candidates decides among equal means.

    Source: racing with blocks, Birattari et al., "A racing algorithm for configuring metaheuristics", GECCO 2002; with
    Student's test, as in irace (López-Ibáñez et al., Operations Research Perspectives 3, 2016).
    """
    there = {label: sum(score is not None for score in row) for label, row in scores.items()}
    most = max(there.values(), default=0)
    if not most:
        return []
    rows = [scores[label] for label in scores if there[label] == most]
    common = [seed for seed, column in enumerate(zip(*rows, strict=True)) if None not in column]
    whole = {
        label: [
            score for seed, score in enumerate(row) if score is not None and (seed in common or not common)
        ]
        for label, row in scores.items()
        if there[label] == most
    }
    means = {label: fmean(row) for label, row in whole.items()}
    ranked = sorted(means, key=lambda label: -means[label])
    if len(common) < FEWEST or len(ranked) == 1:
        return ranked
    allowed = _allowed(list(whole.values()))
    return [label for label in ranked if means[ranked[0]] - means[label] <= allowed + 1e-12]


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
