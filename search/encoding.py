"""Recipes as points of the unit cube, so that a model can say which are near each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spaces import Choice, Float, Int, Leaf, Params, SearchSpace, Value

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Axis:
    """One parameter and the columns it uses.

    Args:
        name: Qualified name.
        leaf: Its domain.
        slot: Number of its group of columns, shared with the parameters that mean the same in other branches.
        start: First column.
        width: How many columns: 1 for a number, one an option for a choice.
        low: What 0 of the column stands for, scaled as the number is drawn (unused for a choice).
        high: What 1 stands for.
        owner: The switch's axis and option under which it exists; none for a parameter of the root.
    """

    name: str
    leaf: Leaf
    slot: int
    start: int
    width: int
    low: float
    high: float
    owner: tuple[int, int] | None

    def place(self, value: float) -> float:
        """Where a number lies between `low` and `high`: 0 to 1; 0.5 where there is one value only."""
        if self.high <= self.low:
            return 0.5
        here = math.log(value) if _is_log(self.leaf) else value
        return min(1.0, max(0.0, (here - self.low) / (self.high - self.low)))

    def value(self, place: float) -> float | int:
        """The value of the domain that is nearest to a place."""
        assert not isinstance(self.leaf, Choice)
        here = self.low + min(1.0, max(0.0, place)) * (self.high - self.low)
        first, last = _ends(self.leaf)
        here = min(last, max(first, here))
        return self.leaf.nearest(math.exp(here) if self.leaf.log else here)


class Encoding:
    """Maps recipes of a space to points in [0, 1]^columns and back.

    Numbers take one column, scaled as they are drawn (logarithm where `log` is true). A choice takes a column an
    option, 1 for the one taken. Parameters of the same name and kind in different branches of one switch
    (``strategy.full.lr``, ``strategy.layer_decay.lr``) share their columns, so that what is learnt of one serves
    the other; the switch's own columns tell them apart. Columns that no branch taken uses stand where the first
    parameter's baseline does, so that they make no difference between two recipes without it.

    Args:
        space: The space.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.axes: list[Axis] = []
        self._lay_out()
        self.columns = sum(width for width in self._widths)
        self._rest = np.zeros(self.columns)
        for axis in reversed(self.axes):
            self._put(self._rest, axis, axis.leaf.baseline())
        self.is_choice = np.zeros(self.columns, dtype=bool)
        self.slots = np.zeros(self.columns, dtype=np.int64)
        for axis in self.axes:
            columns = slice(axis.start, axis.start + axis.width)
            self.is_choice[columns] = isinstance(axis.leaf, Choice)
            self.slots[columns] = axis.slot

    def _lay_out(self) -> None:
        leaves = self.space.leaves()
        owners: dict[str, tuple[int, int] | None] = {}
        keys: dict[str, str] = {}  # the name without the branches it lies in
        names = list(leaves)
        for name in names:
            owners[name], keys[name] = None, name
            for index, switch in enumerate(names):
                above = leaves[switch]
                if name.startswith(f"{switch}.") and isinstance(above, Choice):
                    branch, _, rest = name[len(switch) + 1 :].partition(".")
                    owners[name] = (index, [str(option) for option in above.options].index(branch))
                    keys[name] = f"{keys[switch]}.{rest}"
        shared: dict[tuple[object, ...], list[str]] = {}
        for name, leaf in leaves.items():
            shared.setdefault((keys[name], *_kind(leaf)), []).append(name)
        self._widths: list[int] = []
        place: dict[str, tuple[int, int, float, float]] = {}
        for slot, members in enumerate(shared.values()):
            start = sum(self._widths)
            first = leaves[members[0]]
            ends = [_ends(leaf) for name in members if not isinstance(leaf := leaves[name], Choice)]
            low, high = (min(e[0] for e in ends), max(e[1] for e in ends)) if ends else (0.0, 1.0)
            self._widths.append(len(first.options) if isinstance(first, Choice) else 1)
            for name in members:
                place[name] = (slot, start, low, high)
        for name, leaf in leaves.items():
            slot, start, low, high = place[name]
            self.axes.append(Axis(name, leaf, slot, start, self._widths[slot], low, high, owners[name]))

    @property
    def widths(self) -> tuple[int, ...]:
        """How many columns each slot has."""
        return tuple(self._widths)

    def _put(self, point: Array, axis: Axis, value: Value) -> None:
        if isinstance(axis.leaf, Choice):
            point[axis.start : axis.start + axis.width] = 0.0
            point[axis.start + axis.leaf.options.index(value)] = 1.0
        else:
            point[axis.start] = axis.place(float(value))

    def encode(self, params: Params) -> Array:
        """A recipe as a point: shape (columns,)."""
        point = self._rest.copy()
        for axis in self.axes:
            if axis.name in params:
                self._put(point, axis, params[axis.name])
        return point

    def encode_all(self, recipes: Sequence[Params]) -> Array:
        """Recipes as points: shape (recipes, columns)."""
        return np.array([self.encode(params) for params in recipes]).reshape(len(recipes), self.columns)

    def decode(self, point: Array) -> dict[str, Value]:
        """The recipe nearest to a point."""
        values: dict[str, Value] = {}
        for axis in self.axes:
            columns = point[axis.start : axis.start + axis.width]
            if isinstance(axis.leaf, Choice):
                values[axis.name] = axis.leaf.options[int(np.argmax(columns))]
            else:
                values[axis.name] = axis.value(float(columns[0]))
        return self.space.draw(lambda name, leaf: values[name])

    def tidy(self, points: Array) -> Array:
        """Points moved to where recipes are: choices decided, numbers on their grids, idle columns at rest.

        Args:
            points: Shape (points, columns); for a choice the largest column wins.
        """
        return self._settle(np.clip(points, 0.0, 1.0), stretched=False)

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """`count` points, drawn uniformly as the space's own random draws are: shape (count, columns)."""
        return self.at_quantiles(rng.random((count, self.columns)))

    def at_quantiles(self, points: Array) -> Array:
        """Recipes by how much of each parameter's own range lies below: shape (points, columns), as `draw` has them.

        Args:
            points: Shape (points, columns), each in [0, 1]; for a choice the largest column wins.
        """
        return self._settle(points, stretched=True)

    def draw_believed(self, rng: np.random.Generator, count: int) -> Array:
        """The same, drawn from the priors of the parameters that have one."""
        return self._settle(rng.random((count, self.columns)), stretched=True, believed=True)

    @property
    def has_priors(self) -> bool:
        """Whether anything is believed of any parameter."""
        return any(axis.leaf.prior is not None for axis in self.axes)

    def belief(self, points: Array) -> Array:
        """How much likelier each point is under the priors than drawn uniformly: logarithms, shape (points,)."""
        ratio = np.zeros(len(points))
        taken: list[Bools] = []
        decided: list[NDArray[np.int64]] = []
        for axis in self.axes:
            here = self._exists(axis, taken, decided, len(points))
            columns = slice(axis.start, axis.start + axis.width)
            taken.append(here)
            decided.append(np.argmax(points[:, columns], axis=1))
            if axis.leaf.prior is None:
                continue
            if isinstance(axis.leaf, Choice):
                weights = np.array(axis.leaf.weights)
                ratio[here] += np.log(weights / weights.mean())[decided[-1][here]]
            elif axis.high > axis.low:
                ratio[here] += _log_density(axis, points[here, axis.start])
        return ratio

    @staticmethod
    def _exists(axis: Axis, taken: list[Bools], decided: list[NDArray[np.int64]], count: int) -> Bools:
        """In which of `count` points an axis exists, by what the axes before it are."""
        if axis.owner is None:
            return np.ones(count, dtype=bool)
        switch, option = axis.owner
        here: Bools = taken[switch] & (decided[switch] == option)
        return here

    def _settle(self, points: Array, *, stretched: bool, believed: bool = False) -> Array:
        """See `tidy`; with `stretched`, 0 and 1 of a column are the ends of the parameter's own range.

        With `believed`, columns are quantiles of the priors.
        """
        settled = np.tile(self._rest, (len(points), 1))
        taken: list[Bools] = []
        decided: list[NDArray[np.int64]] = []
        for axis in self.axes:
            here = self._exists(axis, taken, decided, len(points))
            taken.append(here)
            columns = slice(axis.start, axis.start + axis.width)
            won = np.argmax(points[:, columns], axis=1)
            places = points[:, axis.start]
            if believed and isinstance(axis.leaf, Choice):
                shares = np.cumsum(axis.leaf.weights) / np.sum(axis.leaf.weights)
                won = np.minimum(np.searchsorted(shares, places, side="right"), axis.width - 1)
            elif believed and axis.leaf.prior is not None:
                places = _quantile(axis, places)
            decided.append(won)
            if isinstance(axis.leaf, Choice):
                settled[here, columns] = np.eye(axis.width)[won[here]]
            else:
                settled[here, axis.start] = _on_grid(axis, places[here], stretched)
        return settled


def _normal(axis: Axis) -> tuple[float, float, float, float]:
    """Of a number's prior: center, deviation, and the ends of the range in deviations, in shares of its own range."""
    leaf = axis.leaf
    assert not isinstance(leaf, Choice)
    assert leaf.prior is not None
    low, high = _ends(leaf)
    center = math.log(leaf.prior.center) if leaf.log else float(leaf.prior.center)
    center = (center - low) / (high - low) if high > low else 0.5
    return center, leaf.prior.spread, -center / leaf.prior.spread, (1 - center) / leaf.prior.spread


def _quantile(axis: Axis, shares: Array) -> Array:
    """Where, between the ends of its own range, a number lies below which its prior has these shares."""
    from scipy.special import ndtr, ndtri  # scipy.stats takes a second to import

    center, deviation, first, last = _normal(axis)
    below = ndtr(first) + shares * (ndtr(last) - ndtr(first))
    places: Array = np.clip(center + deviation * ndtri(below), 0.0, 1.0)
    return places


def _log_density(axis: Axis, places: Array) -> Array:
    """Logarithm of a number's prior density over the uniform one, at places of the shared scale."""
    from scipy.special import ndtr

    assert not isinstance(axis.leaf, Choice)
    center, deviation, first, last = _normal(axis)
    low, high = _ends(axis.leaf)
    own = (axis.low + places * (axis.high - axis.low) - low) / max(high - low, 1e-12)
    away = (np.clip(own, 0.0, 1.0) - center) / deviation
    density: Array = -0.5 * away**2 - math.log(
        math.sqrt(2 * math.pi) * deviation * (ndtr(last) - ndtr(first))
    )
    return density


def _is_log(leaf: Leaf) -> bool:
    return not isinstance(leaf, Choice) and leaf.log


def _kind(leaf: Leaf) -> tuple[object, ...]:
    """What two parameters of one name must have in common to share their columns."""
    if isinstance(leaf, Choice):
        return ("choice", *map(repr, leaf.options))
    return ("number", leaf.log)


def _ends(leaf: Float | Int) -> tuple[float, float]:
    """Of the range as it is drawn. A whole number owns half a unit to either side of it."""
    half = 0.5 if isinstance(leaf, Int) and leaf.low < leaf.high else 0.0
    half *= leaf.step if isinstance(leaf, Int) else 1
    low, high = leaf.low - half, leaf.high + half
    if isinstance(leaf, Int) and leaf.log:
        low = max(low, 0.5)
    return (math.log(low), math.log(high)) if leaf.log else (low, high)


def _on_grid(axis: Axis, places: Array, stretched: bool) -> Array:
    """Places of the shared scale, moved to values of this parameter's domain."""
    leaf = axis.leaf
    assert not isinstance(leaf, Choice)
    if axis.high <= axis.low:
        return np.full_like(places, 0.5)
    low, high = _ends(leaf)
    span = axis.high - axis.low
    values = low + places * (high - low) if stretched else np.clip(axis.low + places * span, low, high)
    if isinstance(leaf, Int) or leaf.step is not None:
        step = leaf.step or 1
        values = np.exp(values) if leaf.log else values
        values = np.clip(leaf.low + np.round((values - leaf.low) / step) * step, leaf.low, leaf.high)
        values = np.log(values) if leaf.log else values
    return np.clip((values - axis.low) / span, 0.0, 1.0)
