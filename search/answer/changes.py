"""What changing one thing about a recipe does, over a few seeds that all of the changes share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search.answer.estimate import LEVEL
from spaces import Params, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Change:
    """A recipe that differs from the winner's in one parameter.

    Args:
        parameter: Which.
        before: The winner's value.
        after: The changed one.
        params: The whole recipe: of a switch the new branch's ordinary values came with it.
        scores: Best validation score of each training that is COMPLETE, by its seed.
        failed: How many trainings failed: diverged, as a rule.
        effect: Mean of changed − winner, over the seeds that both have; none where there is no such seed.
        margin: Half the width of its interval. All of a perturbation's intervals hold at once 19 times of 20. None
            where nothing tells the spread.
    """

    parameter: str
    before: Value
    after: Value
    params: Params
    scores: Mapping[int, float]
    failed: int = 0
    effect: float | None = None
    margin: float | None = None

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``fails``, or ``too close to tell``; empty while nothing is known."""
        if self.effect is None:
            return "fails" if self.failed else ""
        if self.failed > len(self.scores):
            return "fails"
        if self.margin is None or abs(self.effect) <= self.margin + 1e-12:
            return "too close to tell"
        return "better" if self.effect > 0 else "worse"


@dataclass(frozen=True)
class Changes:
    """A winner and what changing one thing about it does.

    Args:
        params: The winner's recipe.
        scores: Its own scores by seed.
        changes: One for each parameter and value that was tried, in the space's order.
        seeds: With how many seeds each is trained.
        left: Trainings that are not over.
    """

    params: Params
    scores: Mapping[int, float]
    changes: Sequence[Change]
    seeds: int
    left: int = 0

    @property
    def told(self) -> list[Change]:
        """Those whose effect is told from chance."""
        return [change for change in self.changes if change.verdict in {"better", "worse", "fails"}]


def margins(center: Mapping[int, float], rows: Sequence[Mapping[int, float]]) -> list[float | None]:
    """Half the widths of intervals for each row's mean difference from `center`, such that all hold at once.

    A few seeds tell little of a recipe's own spread, many recipes with the same seeds tell much of what is usual. So
    what is left of scores once each recipe's mean and each seed's are taken off gives every recipe a variance; it
    counts where it is above the one that is common to them, else that one does (so that a recipe that only happened to
    agree with itself is not taken to be sure). Bonferroni's correction makes Student's intervals hold together.

    Args:
        center: Seed → score of the recipe that all are compared with.
        rows: The same of each other recipe.

    Returns:
        In the order of `rows`; none where a row has no seed with the centre in common, or nothing tells the spread.

    Source: Smyth, "Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments", Statistical Applications in Genetics and Molecular Biology 3, 2004, for the common variance of many
    rows with few values each; the larger of the two, where that paper takes a mean, is ours.
    """
    import numpy as np
    from scipy.special import stdtrit

    everyone = [center, *rows]
    seeds = sorted({seed for row in everyone for seed in row})
    table = np.array([[row.get(seed, np.nan) for seed in seeds] for row in everyone], dtype=float)
    table = table.reshape(len(everyone), len(seeds))
    variances, freedom = _moderated(*_variances(table))
    found: list[float | None] = []
    for index, row in enumerate(rows, start=1):
        both = len(center.keys() & row.keys())
        if not both or freedom is None:
            found.append(None)
            continue
        ours, theirs = float(variances[index]), float(variances[0])
        quantile = float(stdtrit(freedom, 1 - (1 - LEVEL) / 2 / len(rows)))
        found.append(quantile * math.sqrt((ours + theirs) / both))
    return found


def _variances(table: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Of each row what is left once its mean and the seeds' are taken off, and the degrees of freedom it rests on.

    Args:
        table: [recipes, seeds]; missing (NaN) where a training failed.
    """
    import numpy as np

    there = ~np.isnan(table)
    rows, columns = np.nonzero(there)
    count, seeds = table.shape
    design = np.hstack([np.eye(count)[rows], np.eye(seeds)[columns]])
    fitted = design @ np.linalg.pinv(design)
    rest = table[there] - fitted @ table[there]
    free = 1 - np.diag(fitted)  # how much of each score the means leave over
    squares, freedom = np.zeros(count), np.zeros(count)
    np.add.at(squares, rows, rest**2)
    np.add.at(freedom, rows, free)
    known = freedom > 1e-9
    return np.where(known, squares / np.where(known, freedom, 1.0), np.nan), np.where(known, freedom, 0.0)


def _moderated(variances: NDArray[Any], freedom: NDArray[Any]) -> tuple[NDArray[Any], float | None]:
    """Variances that are nowhere below the common one, and the degrees of freedom that each rests on."""
    import numpy as np
    from scipy.special import digamma, polygamma

    known = ~np.isnan(variances)
    if not known.any():
        return variances, None
    own, degrees = variances[known], freedom[known]
    whole = float(degrees.sum())
    if not own.any():
        return np.zeros_like(variances), whole
    floor = 1e-5 * float(np.median(own[own > 0]))
    logs = np.log(np.maximum(own, floor)) - digamma(degrees / 2) + np.log(degrees / 2)
    excess = float(np.var(logs, ddof=1) - np.mean(polygamma(1, degrees / 2))) if len(own) > 1 else 0.0
    if excess > 0:
        prior = 2 * _inverse_trigamma(excess)
        common = float(np.exp(np.mean(logs) + digamma(prior / 2) - np.log(prior / 2)))
        whole = min(whole, prior + float(np.mean(degrees)))
    else:  # they differ no more than chance makes them
        common = float(np.average(own, weights=degrees))
    return np.fmax(variances, common), whole


def _inverse_trigamma(value: float) -> float:
    """The x above 0 with trigamma(x) = value, by Newton's steps on 1 / trigamma (Smyth 2004, appendix)."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        there = float(polygamma(1, x))
        step = there * (1 - there / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return x
