"""Whether stopping trials early was safe: how early scores rank trials as late ones do, and what pruned ones lacked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.answer.estimate import NORMAL
from search.decisions.history import History, Run, Status
from search.insight.surface import Surface

FEWEST = 5
"""Trials that must have come to both epochs before their ranks are compared."""


@dataclass(frozen=True)
class Agreement:
    """How an early epoch ranks trials, against a later one.

    Args:
        epoch: The early one, where trials were stopped or paused.
        later: The later one.
        trials: How many came to both; those stopped between them are missing, and they were the weak ones, which
            makes the correlation smaller than it would be among all.
        correlation: Spearman's, in [-1, 1].
        low: Lower end of its 95 % interval (Fisher's z, with the standard error of Bonett & Wright, "Sample size
            requirements for estimating Pearson, Kendall and Spearman correlations", Psychometrika 65, 2000).
        high: Upper end.
        modelled: Correlation of the early score with the final one over all recipes of the space, pruned or not, as
            the surface has it; none where there is no surface.
        place: Which the best trial was at the early epoch, from 1, among all that came to it.
        there: How many these are.
    """

    epoch: int
    later: int
    trials: int
    correlation: float
    low: float
    high: float
    modelled: float | None
    place: int
    there: int


@dataclass(frozen=True)
class Stopped:
    """A trial that was stopped early, and what it lacked.

    Args:
        number: The trial's.
        epoch: After which it was stopped.
        score: Its best until then.
        needed: The lowest score after that epoch of a trial that went on; none if nobody went on.
        expected: What the surface expects it to have reached at the full budget; none where there is no surface.
        chance: Probability that it would have beaten the best trial there is; likewise.
    """

    number: int
    epoch: int
    score: float
    needed: float | None
    expected: float | None = None
    chance: float | None = None

    @property
    def short(self) -> float | None:
        """By how much it missed what the weakest that went on had; 0 or less where others were preferred to it."""
        return None if self.needed is None else self.needed - self.score


def agreements_of(history: History, surface: Surface | None) -> list[Agreement]:
    """Each epoch at which trials were stopped or paused against the full budget, or the latest that enough came to."""
    from scipy.stats import spearmanr  # takes a second to import

    whole = history.fold_epochs or history.max_epochs
    runs = [run for run in history if run.scores]
    stops = {epoch for run in runs for epoch in _stops(run, whole)}
    found = []
    for epoch in sorted(stops):
        later = max((e for e in (*stops, whole) if _reached(history, runs, e) >= FEWEST), default=0)
        both = [run for run in runs if run.epochs >= max(epoch, later)]
        if later <= epoch:
            continue
        early, late = ([history.best_so_far(run.number)[e - 1] for run in both] for e in (epoch, later))
        if min(map(len, (set(early), set(late)))) == 1:  # ranks that do not vary
            continue
        correlation = float(spearmanr(early, late).statistic)
        best = max(both, key=lambda run: history.best_so_far(run.number)[later - 1])
        here = [history.best_so_far(run.number)[epoch - 1] for run in runs if run.epochs >= epoch]
        place = 1 + sum(score > history.best_so_far(best.number)[epoch - 1] for score in here)
        low, high = _interval(correlation, len(both))
        modelled = surface.telling(epoch) if surface is not None else None
        found.append(Agreement(epoch, later, len(both), correlation, low, high, modelled, place, len(here)))
    return found


def stopped_of(history: History, surface: Surface | None) -> list[Stopped]:
    """Every trial that was stopped before its full budget or pauses, the likeliest to have been the best first."""
    runs = [run for run in history if run.status in {Status.STOPPED, Status.PAUSED} and run.scores]
    complete = [run.number for run in history if run.status is Status.COMPLETE]
    chances: list[tuple[float | None, float | None]] = [(None, None)] * len(runs)
    if surface is not None and runs and complete:
        from scipy.special import ndtr

        best = surface.final(history, complete)[0].max()
        expected, unsure = surface.final(history, [run.number for run in runs])
        chances = [
            (float(score), float(ndtr((mean - best) / deviation)))
            for score, mean, deviation in zip(surface.in_scores(expected), expected, unsure, strict=True)
        ]
    found = [
        Stopped(run.number, run.epochs, history.score(run.number), _needed(history, run.epochs), *chance)
        for run, chance in zip(runs, chances, strict=True)
    ]
    return sorted(found, key=lambda one: (-(one.chance or 0.0), -one.epoch, -one.score))


def _stops(run: Run, whole: int) -> list[int]:
    ended = [run.epochs] if run.status is Status.STOPPED else []
    return [epoch for epoch in (*run.pauses, *ended) if 0 < epoch < whole]


def _reached(history: History, runs: Sequence[Run], epoch: int) -> int:
    return sum(run.epochs >= epoch for run in runs)


def _needed(history: History, epoch: int) -> float | None:
    """The lowest score after an epoch of those that trained on from it."""
    return min(
        (history.best_so_far(run.number)[epoch - 1] for run in history if run.epochs > epoch), default=None
    )


def _interval(correlation: float, trials: int) -> tuple[float, float]:
    if trials <= 3 or abs(correlation) >= 1:
        return (correlation, correlation) if abs(correlation) >= 1 else (-1.0, 1.0)
    margin = NORMAL * math.sqrt((1 + correlation**2 / 2) / (trials - 3))
    return math.tanh(math.atanh(correlation) - margin), math.tanh(math.atanh(correlation) + margin)
