"""Which parameters matter, how much, and whether that is told from chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from search.answer.estimate import NORMAL
from search.decisions.history import History
from search.forecast.gaussian import Array
from search.insight.regions import densities
from search.insight.surface import Marginal, Surface
from spaces import Value

CHANCE = 0.02
"""With what probability any parameter at all is told to matter in a study where none does."""
FEWEST = 5
"""Trials that must have had a parameter before anything is said of it."""
DRAWS = 20_000
"""Random effects that the found one is compared with."""
MOST_PAIRED = 5
"""Parameters of which pairs are looked at, the most important ones."""


@dataclass(frozen=True)
class Effect:
    """What one parameter does to the score at the full budget.

    Args:
        name: The parameter; one that several branches have is one (``strategy.*.lr``).
        qualified: What the space calls it: one name for each branch that has it.
        branches: Switch → options: only recipes with one of these have the parameter, and the effect is among those
            alone; empty where all have it.
        trials: How many trials had it.
        marginal: Mean score by its values.
        share: Of the variance of scores over the whole space, how much this parameter explains by itself (fANOVA's
            first order); a parameter of a branch counts by how common its branch is, and is small for that alone.
        share_within: The same among the recipes that have it, were nothing else in the way: its variance over the
            whole one.
        density: How far the best tenth of the trials differ from all of them in it (PED-ANOVA), as a share of the
            sum over all parameters; none where that is not known.
        chance: Probability of so large an effect where the parameter does nothing.
        told: Whether it matters: `chance` is too small, with all parameters that were looked at taken into account.
    """

    name: str
    qualified: Sequence[str]
    branches: Mapping[str, Sequence[str]]
    trials: int
    marginal: Marginal
    share: float
    share_within: float
    density: float | None
    chance: float
    told: bool

    @property
    def best(self) -> Value:
        """The value with the highest mean score."""
        return self.marginal.values[self._ends[1]]

    @property
    def worst(self) -> Value:
        """The one with the lowest."""
        return self.marginal.values[self._ends[0]]

    @property
    def gain(self) -> float:
        """Mean score at the best value less that at the worst."""
        return float(np.ptp(self.marginal.means))

    @property
    def margin(self) -> float:
        """Half the width of the gain's 95 % interval."""
        low, high = self._ends
        levels, spread = self.marginal.levels, self.marginal.covariance
        error = math.sqrt(max(spread[high, high] + spread[low, low] - 2 * spread[high, low], 0.0))
        apart = float(levels[high] - levels[low])
        return NORMAL * error * (self.gain / apart if apart > 0 else self.marginal.slope)

    @property
    def _ends(self) -> tuple[int, int]:
        return int(np.argmin(self.marginal.levels)), int(np.argmax(self.marginal.levels))


@dataclass(frozen=True)
class Interaction:
    """What two parameters do together that neither does alone.

    Args:
        names: The two.
        share: Of the variance of scores over the whole space.
        values: Values of each that were looked at.
        means: Mean score at each pair: shape (values of the first, values of the second); NaN where no recipe has both.
    """

    names: tuple[str, str]
    share: float
    values: tuple[Sequence[Value], Sequence[Value]]
    means: Array


def effects_of(history: History, surface: Surface) -> list[Effect]:
    """Every parameter that can vary and was tried, the most important first.

    The variance that a parameter explains is taken from a Gaussian process in place of fANOVA's random forest: its
    effects follow from the mean over all other parameters in the same way. What is told from chance follows from
    how sure the process is: were a parameter without effect, its curve would lie within that; the largest difference
    between two of its values is compared with those of random curves as unsure as it is.

    Sources: Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML 2014
    (fANOVA); Watanabe, Bansal and Hutter, "PED-ANOVA", IJCAI 2023; Holm, "A simple sequentially rejective multiple
    test procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    variation = surface.variation
    had = {name: sum(variation.has(name, run.params) for run in history) for name in variation.names}
    names = [name for name, trials in had.items() if trials >= FEWEST]
    marginals = {name: surface.marginal(name) for name in names}
    chances = {name: _chance(marginal) for name, marginal in marginals.items()}
    told = _told(chances)
    density = densities(history, surface)
    found = [
        Effect(
            name=name,
            qualified=variation.qualified(name),
            branches=variation.branches(name),
            trials=had[name],
            marginal=marginal,
            share=min(1.0, marginal.variance / surface.variance * variation.commonness(name)),
            share_within=min(1.0, marginal.variance / surface.variance),
            density=sum(density.get(one, 0.0) for one in variation.qualified(name)) if density else None,
            chance=chances[name],
            told=name in told,
        )
        for name, marginal in marginals.items()
    ]
    return sorted(found, key=lambda effect: (not effect.told, -effect.share))


def interactions_of(effects: Sequence[Effect], surface: Surface) -> list[Interaction]:
    """Pairs of the parameters that matter most, the strongest first; such as no recipe has both of are left out."""
    found = []
    most = [effect for effect in effects if effect.told][:MOST_PAIRED]
    variation = surface.variation
    for first, second in combinations([effect.name for effect in most], 2):
        levels, means = surface.pair(first, second)
        there = ~np.isnan(levels)
        if not there.any():
            continue
        alone = _sum_of_both(levels, there)
        common = min(variation.commonness(first), variation.commonness(second))
        share = min(1.0, float(np.var((levels - alone)[there])) / surface.variance * common)
        found.append(
            Interaction((first, second), share, (variation.values(first), variation.values(second)), means)
        )
    return sorted(found, key=lambda pair: -pair.share)


def _sum_of_both(levels: Array, there: NDArray[np.bool_]) -> Array:
    """What two effects that know nothing of each other come nearest to a table with: least squares, cells missing."""
    rows, columns = np.nonzero(there)
    design = np.hstack([np.eye(levels.shape[0])[rows], np.eye(levels.shape[1])[columns]])
    both = np.linalg.lstsq(design, levels[there], rcond=None)[0]
    found: Array = both[: levels.shape[0], None] + both[None, levels.shape[0] :]
    return found


def _chance(marginal: Marginal) -> float:
    """How often curves without effect, as unsure as this one, have two values as many standard errors apart."""
    first, second = np.triu_indices(len(marginal.means), 1)
    spread, values, levels = marginal.covariance, np.diag(marginal.covariance), marginal.levels
    error = np.sqrt(np.maximum(values[first] + values[second] - 2 * spread[first, second], 1e-30))
    apart = np.max(np.abs(levels[first] - levels[second]) / error)
    eigenvalues, vectors = np.linalg.eigh(spread)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    curves = np.random.default_rng(0).standard_normal((DRAWS, len(values))) @ root.T
    random = np.max(np.abs(curves[:, first] - curves[:, second]) / error, axis=1)
    return float((1 + np.sum(random >= apart)) / (1 + DRAWS))


def _told(chances: Mapping[str, float]) -> set[str]:
    """Those that are told from chance, at `CHANCE` for all together (Holm)."""
    told: set[str] = set()
    for place, name in enumerate(sorted(chances, key=lambda name: chances[name])):
        if chances[name] * (len(chances) - place) > CHANCE:
            break
        told.add(name)
    return told
