"""Regions of a space of one or two conditions, and whether trials gather in one beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.encoding import Encoding
from search.forecast.threads import one_thread
from search.insight.variation import Variation
from spaces import Choice, Leaf, Params, SearchSpace, Value

MOST = 64
"""Borders of a number that are looked at by themselves, evenly among the trials' values."""
BORDERS = 16
"""The same together with other conditions."""
FEWEST = 3
"""Trials below which they are no gathering."""
CHANCE = 0.01
"""Probability of so clear a region where there is none, all regions that are looked at taken into account."""
SHUFFLES = 499
SIMPLER = 10.0
"""A second condition must make chance less likely by this factor: else one says the same."""


@dataclass(frozen=True)
class Condition:
    """One condition on a recipe. A recipe that has none of its parameters does not meet it.

    Args:
        name: Of the parameter as one speaks of it: ``optimizer``, ``strategy.full.lr``, ``strategy.*.lr``.
        qualified: What the space calls it: one name for each branch that has it.
        option: Of a choice: the one that is taken.
        border: Of a number.
        above: Whether the number is at the border or above, or at the border or below.
        paired: Whether it is looked at together with others, of which there are many.
    """

    name: str
    qualified: tuple[str, ...]
    option: Value | None = None
    border: float = 0.0
    above: bool = True
    paired: bool = True

    def holds(self, params: Params) -> bool:
        """Whether a recipe meets it."""
        value = next((params[name] for name in self.qualified if name in params), None)
        if value is None:
            return False
        if self.option is not None:
            return value == self.option and isinstance(value, bool) == isinstance(self.option, bool)
        return float(value) >= self.border if self.above else float(value) <= self.border

    def __str__(self) -> str:
        if self.option is not None:
            return f"{self.name} {str(self.option).lower() if isinstance(self.option, bool) else self.option}"
        return (
            f"{self.name} from {self.border:.2g} on" if self.above else f"{self.name} up to {self.border:.2g}"
        )


def find_region(
    space: SearchSpace, recipes: Sequence[Params], hit: Sequence[bool], looks: int = 1
) -> tuple[Condition, ...]:
    """The region in which most of what was hit lies and little else; empty where chance could have made it.

    All regions of one and of two conditions are looked at. The clearest is the one with the smallest one-sided p-value
    of Fisher's exact test; so clear a one is compared with the clearest after shuffling the hits over the trials
    (Westfall & Young, Resampling-Based Multiple Testing, 1993), which takes account of all that were looked at.

    Args:
        space: What the recipes were drawn from.
        recipes: One a trial.
        hit: Whether a trial has what is looked for.
        looks: For how many such things the same trials are looked at (Bonferroni's correction).
    """
    hits = np.array(hit, dtype=bool)
    if not FEWEST <= hits.sum() < len(hits):
        return ()
    conditions = _conditions(space, recipes)
    if not conditions:
        return ()
    with one_thread():
        looked = _Looked(conditions, recipes, hits)
        region, found = looked.clearest()
        there = np.all([[one.holds(recipe) for recipe in recipes] for one in region], axis=0)
        inside = int(hits[there].sum())
        gathers = inside >= FEWEST and int(there.sum()) <= 2 * inside
        return region if gathers and looked.beyond_chance(found, looks) else ()


class _Looked:
    """Fisher's exact test of many regions at once: of one condition, and of two of those that may be paired.

    Args:
        conditions: All of them.
        recipes: One a trial.
        hits: Whether a trial has what is looked for.
    """

    def __init__(
        self, conditions: Sequence[Condition], recipes: Sequence[Params], hits: NDArray[np.bool_]
    ) -> None:
        from scipy.stats import hypergeom

        self._conditions, self._hits = conditions, hits
        self._all = _table(conditions, recipes)
        self._paired = [at for at, one in enumerate(conditions) if one.paired]
        self._pairs = self._all[self._paired]
        names = np.array([conditions[at].qualified[0] for at in self._paired])
        self._apart = names[:, None] != names[None, :]
        trials, count = len(hits), int(hits.sum())
        sizes, counts = np.arange(trials + 1)[:, None], np.arange(count + 1)[None, :]
        # P(so many hits or more in a region of that size, were it nothing), [size, hits].
        self._chance: NDArray[np.float64] = hypergeom.sf(counts - 1, trials, count, sizes)
        self._size = np.rint(self._all.sum(1)).astype(np.int64)
        self._pair_size = np.rint(self._pairs @ self._pairs.T).astype(np.int64)

    def clearest(self) -> tuple[tuple[Condition, ...], float]:
        """The region that chance makes most seldom, and how seldom; of one condition where two say hardly more."""
        alone = self._chance[self._size, np.rint(self._all @ self._hits).astype(np.int64)]
        there = np.rint((self._pairs * self._hits) @ self._pairs.T).astype(np.int64)
        both = np.where(self._apart, self._chance[self._pair_size, there], 1.0)
        one = int(np.argmin(alone))
        first, second = np.unravel_index(np.argmin(both), both.shape)
        if alone[one] <= SIMPLER * both[first, second]:
            return (self._conditions[one],), float(alone[one])
        pair = tuple(self._conditions[self._paired[at]] for at in (int(first), int(second)))
        return pair, float(both[first, second])

    def beyond_chance(self, found: float, looks: int) -> bool:
        """Whether shuffled hits make so clear a region seldom enough; broken off as soon as they do too often."""
        level = CHANCE / looks
        if found > level or found * (len(self._all) + self._apart.sum() / 2) <= level:
            return found <= level
        # The fewest hits that make a region of each size so clear.
        clear = self._chance <= found * (1 + 1e-9)
        enough = np.where(clear.any(1), clear.argmax(1), len(self._hits) + 1) - 0.5
        for_one = enough[self._size].astype(np.float32)
        for_two = np.where(self._apart, enough[self._pair_size], np.inf).astype(np.float32)
        rng, as_clear, most = np.random.default_rng(0), 0, int(level * (SHUFFLES + 1)) - 1
        for _ in range(SHUFFLES):
            hits = rng.permutation(self._hits).astype(np.float32)
            as_clear += bool(
                (self._all @ hits >= for_one).any() or ((self._pairs * hits) @ self._pairs.T >= for_two).any()
            )
            if as_clear > most:
                return False
        return True


def _table(conditions: Sequence[Condition], recipes: Sequence[Params]) -> NDArray[np.float32]:
    """Which recipes meet which condition, [conditions, recipes]; as `Condition.holds`, all at once."""
    numbers: dict[tuple[str, ...], NDArray[np.float64]] = {}
    rows: list[Any] = []
    for one in conditions:
        if one.option is not None:
            rows.append([one.holds(recipe) for recipe in recipes])
            continue
        if one.qualified not in numbers:
            values = (
                next((recipe[name] for name in one.qualified if name in recipe), None) for recipe in recipes
            )
            numbers[one.qualified] = np.array([np.nan if value is None else float(value) for value in values])
        there = numbers[one.qualified]
        rows.append(there >= one.border if one.above else there <= one.border)
    return np.array(rows, dtype=np.float32)


def _conditions(space: SearchSpace, recipes: Sequence[Params]) -> list[Condition]:
    """Every option and every border that tells trials apart; a parameter's branches together, and each by itself."""
    leaves, variation = space.leaves(), Variation(Encoding(space))
    named: dict[str, tuple[str, ...]] = {}
    for name in variation.names:
        qualified = tuple(variation.qualified(name))
        named[name] = qualified
        named |= {one: (one,) for one in qualified}
    found: list[Condition] = []
    for name, qualified in named.items():
        values = [recipe[one] for recipe in recipes for one in qualified if one in recipe]
        found += _of_values(name, qualified, leaves[qualified[0]], values)
    # Options first: of two conditions that the same trials meet, the first is told.
    return sorted(found, key=lambda one: one.option is None)


def _of_values(name: str, qualified: tuple[str, ...], leaf: Leaf, values: Sequence[Value]) -> list[Condition]:
    if isinstance(leaf, Choice):
        return [Condition(name, qualified, option=one) for one in leaf.options if one in values]
    there = np.unique([float(value) for value in values])
    if len(there) < 2:
        return []
    alone, picked = _evenly(len(there) - 1, MOST), set(_evenly(len(there) - 1, BORDERS))
    return [
        Condition(name, qualified, border=float(there[at + above]), above=bool(above), paired=at in picked)
        for at in sorted({*alone, *picked})
        for above in (1, 0)
    ]


def _evenly(count: int, most: int) -> list[int]:
    """At most so many of the first `count` numbers."""
    return [int(one) for one in np.unique(np.linspace(0, count - 1, min(most, count)).round())]
