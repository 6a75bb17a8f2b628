"""Recipes that differ in one or two parameters alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np

from search.encoding import Array, Axis, Encoding
from spaces import Choice, Params, Value

STEPS = 8
"""Values at which a number is looked at, in the middle of as many equal parts of its range."""


class Variation:
    """The parameters of a space as one speaks of them, and recipes in which they vary.

    A parameter that several branches of a switch have (``strategy.full.lr``, ``strategy.layer_decay.lr``) is one here,
    called ``strategy.*.lr``: the learning rate matters, whatever the strategy.

    Args:
        encoding: Of the space.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        slots: dict[int, list[Axis]] = {}
        for axis in encoding.axes:
            slots.setdefault(axis.slot, []).append(axis)
        self._members = {_label([axis.name for axis in axes]): axes for axes in slots.values()}

    @property
    def names(self) -> list[str]:
        """Of the parameters that can vary, in the space's order."""
        return [name for name, axes in self._members.items() if not all(axis.leaf.is_fixed for axis in axes)]

    def qualified(self, name: str) -> list[str]:
        """What the space calls a parameter: one name for each branch that has it."""
        return [axis.name for axis in self._members[name]]

    def has(self, name: str, params: Params) -> bool:
        """Whether a recipe has a parameter."""
        return any(axis.name in params for axis in self._members[name])

    def branches(self, name: str) -> dict[str, list[str]]:
        """Switch → the options of which one must be taken for a recipe to have a parameter; empty where all will do."""
        found: dict[str, list[str]] = {}
        switches: dict[str, int] = {}
        for axis in self._members[name]:
            for switch, option in self._above(axis):
                leaf = switch.leaf
                assert isinstance(leaf, Choice)
                options = found.setdefault(switch.name, [])
                switches[switch.name] = len(leaf.options)
                if str(leaf.options[option]) not in options:
                    options.append(str(leaf.options[option]))
        return {switch: options for switch, options in found.items() if len(options) < switches[switch]}

    def commonness(self, name: str) -> float:
        """The share of random recipes that have a parameter, in (0, 1]."""
        return sum(
            math.prod(1 / switch.width for switch, _ in self._above(axis)) for axis in self._members[name]
        )

    def values(self, name: str) -> list[Value]:
        """The values at which a parameter is looked at: a choice's options, or numbers."""
        axes = self._members[name]
        if isinstance(axes[0].leaf, Choice):
            return list(axes[0].leaf.options)
        if len(axes) == 1:
            return list(dict.fromkeys(axes[0].value(place) for place in _places()))
        middle = [axes[0].low + place * (axes[0].high - axes[0].low) for place in _places()]
        return [float(f"{math.exp(value) if axes[0].leaf.log else value:.6g}") for value in middle]

    def points(self, rng: np.random.Generator, count: int, names: Sequence[str]) -> Array:
        """Random recipes, the same ones once for each combination of some parameters' values.

        Args:
            rng: Draws what the recipes are besides.
            count: Recipes for each combination.
            names: The parameters; a switch and a parameter of its branches may be among them.

        Returns:
            Shape (values of the first, …, values of the last, count, columns); missing (NaN) where no recipe has such a
            combination.
        """
        others = rng.random((count, self._encoding.columns))
        values = [self.values(name) for name in names]
        found = np.full((*map(len, values), count, self._encoding.columns), np.nan)
        for place in np.ndindex(*found.shape[:-2]):
            chosen = [one[index] for one, index in zip(values, place, strict=True)]
            ways = self._ways(names, chosen)
            for start, way in enumerate(ways):  # the branches that have them take turns
                rows = slice(start, None, len(ways))
                found[(*place, rows)] = self._set(others[rows].copy(), *way)
        return found

    def _ways(
        self, names: Sequence[str], chosen: Sequence[Value]
    ) -> list[tuple[list[tuple[Axis, Value]], dict[int, int]]]:
        """In which branches recipes have all of `chosen`: the axes with their values, and switch's index → option."""
        index = {axis.name: number for number, axis in enumerate(self._encoding.axes)}
        ways = []
        for axes in product(*(self._members[name] for name in names)):
            pairs = list(zip(axes, chosen, strict=True))
            held: dict[int, int] = {}
            wanted = [above for axis in axes for above in self._above(axis)]
            wanted += [
                (axis, axis.leaf.options.index(value))
                for axis, value in pairs
                if isinstance(axis.leaf, Choice)
            ]
            if all(held.setdefault(index[switch.name], option) == option for switch, option in wanted):
                ways.append((pairs, held))
        return ways

    def _set(self, points: Array, pairs: Sequence[tuple[Axis, Value]], held: dict[int, int]) -> Array:
        for switch, option in held.items():
            axis = self._encoding.axes[switch]
            points[:, axis.start : axis.start + axis.width] = np.eye(axis.width)[option]
        points = self._encoding.at_quantiles(points)
        for axis, value in pairs:
            if not isinstance(axis.leaf, Choice):
                points[:, axis.start] = axis.place(float(value))
        return self._encoding.tidy(points)

    def _above(self, axis: Axis) -> list[tuple[Axis, int]]:
        """The switches that an axis hangs on, with the index of the option, outermost first."""
        found: list[tuple[Axis, int]] = []
        while axis.owner is not None:
            switch, option = axis.owner
            axis = self._encoding.axes[switch]
            found.insert(0, (axis, option))
        return found


def _places() -> list[float]:
    return [(step + 0.5) / STEPS for step in range(STEPS)]


def _label(names: Sequence[str]) -> str:
    """One name for parameters that differ in the branches they lie in: parts that differ become ``*``."""
    parts = [name.split(".") for name in names]
    return ".".join(one[0] if len(set(one)) == 1 else "*" for one in zip(*parts, strict=True))
