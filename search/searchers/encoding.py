"""Recipes as points of the unit cube, so that a model can say which are near each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spaces import Choice, Float, Int, Leaf, Params, SearchSpace, Value

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """The columns of one parameter.

    Args:
        name: Qualified name.
        leaf: Its domain.
        start: First column.
        width: How many columns: 1 for a number, one an option for a choice.
        owner: The switch's axis and option under which it exists; none for a parameter of the root.
    """

    name: str
    leaf: Leaf
    start: int
    width: int
    owner: tuple[int, int] | None


class Encoding:
    """Maps recipes of a space to points in [0, 1]^columns and back.

    Numbers take one column, scaled as they are drawn (logarithm where `log` is true). A choice takes a
    column an option, 1 for the one taken. A parameter of a branch not taken stands where its baseline does,
    so that it makes no difference between two recipes without it.

    Args:
        space: The space.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.axes: list[Axis] = []
        at: dict[str, int] = {}
        column = 0
        for name, leaf in space.leaves().items():
            width = len(leaf.options) if isinstance(leaf, Choice) else 1
            owner = None
            for switch, index in at.items():
                above = self.axes[index].leaf
                if name.startswith(f"{switch}.") and isinstance(above, Choice):
                    branch = name[len(switch) + 1 :].split(".")[0]
                    owner = (index, [str(option) for option in above.options].index(branch))
            at[name] = len(self.axes)
            self.axes.append(Axis(name, leaf, column, width, owner))
            column += width
        self.columns = column
        self._rest = np.zeros(column)
        for axis in self.axes:
            self._put(self._rest, axis, axis.leaf.baseline())
        self.is_free = np.array(
            [not _fixed(axis.leaf) for axis in self.axes for _ in range(axis.width)], dtype=bool
        )

    def _put(self, point: Array, axis: Axis, value: Value) -> None:
        if isinstance(axis.leaf, Choice):
            point[axis.start : axis.start + axis.width] = 0.0
            point[axis.start + axis.leaf.options.index(value)] = 1.0
        else:
            point[axis.start] = to_unit(axis.leaf, float(value))

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
                values[axis.name] = from_unit(axis.leaf, float(columns[0]))
        return self.space.draw(lambda name, leaf: values[name])

    def tidy(self, points: Array) -> Array:
        """Points moved to where recipes are: choices decided, numbers on their grids, idle parameters at rest.

        Args:
            points: Shape (points, columns); for a choice the largest column wins.
        """
        tidied = np.clip(points, 0.0, 1.0)
        taken: list[NDArray[np.bool_]] = []
        decided: list[NDArray[np.int64]] = []
        for axis in self.axes:
            here = np.ones(len(points), dtype=bool)
            if axis.owner is not None:
                switch, option = axis.owner
                here = taken[switch] & (decided[switch] == option)
            taken.append(here)
            columns = slice(axis.start, axis.start + axis.width)
            if isinstance(axis.leaf, Choice):
                won = np.argmax(points[:, columns], axis=1)
                decided.append(won)
                tidied[:, columns] = np.eye(axis.width)[won]
            else:
                decided.append(np.zeros(len(points), dtype=np.int64))
                tidied[:, axis.start] = _on_grid(axis.leaf, tidied[:, axis.start])
            tidied[np.ix_(~here, np.arange(axis.start, axis.start + axis.width))] = self._rest[columns]
        return tidied

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """`count` points, drawn uniformly as the space's own random draws are: shape (count, columns)."""
        return self.tidy(rng.random((count, self.columns)))


def to_unit(leaf: Float | Int, value: float) -> float:
    """A number's place in its range: 0 at `low`, 1 at `high`; 0.5 where there is one value only."""
    low, high = _ends(leaf)
    if high <= low:
        return 0.5
    here = math.log(value) if leaf.log else value
    return min(1.0, max(0.0, (here - low) / (high - low)))


def from_unit(leaf: Float | Int, place: float) -> float | int:
    """The value of the domain nearest to `place` of its range."""
    low, high = _ends(leaf)
    here = low + min(1.0, max(0.0, place)) * (high - low)
    return leaf.nearest(math.exp(here) if leaf.log else here)


def _ends(leaf: Float | Int) -> tuple[float, float]:
    """Of the range as it is drawn. A whole number owns half a unit to either side of it."""
    half = 0.5 if isinstance(leaf, Int) and leaf.low < leaf.high else 0.0
    half *= leaf.step if isinstance(leaf, Int) else 1
    low, high = leaf.low - half, leaf.high + half
    if isinstance(leaf, Int) and leaf.log:
        low = max(low, 0.5)
    return (math.log(low), math.log(high)) if leaf.log else (low, high)


def _on_grid(leaf: Float | Int, places: Array) -> Array:
    if leaf.low == leaf.high:
        return np.full_like(places, 0.5)
    if isinstance(leaf, Float) and leaf.step is None:
        return places
    low, high = _ends(leaf)
    step = leaf.step or 1
    values = low + places * (high - low)
    values = np.exp(values) if leaf.log else values
    values = np.clip(leaf.low + np.round((values - leaf.low) / step) * step, leaf.low, leaf.high)
    values = np.log(values) if leaf.log else values
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def _fixed(leaf: Leaf) -> bool:
    return len(leaf.options) == 1 if isinstance(leaf, Choice) else leaf.is_fixed
