"""What a sampler is asked for: frozen values, bounds inclusive, their laws checked when they are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from spaces import numbers
from spaces.errors import InvalidParams, InvalidSpace, did_you_mean, shown
from spaces.frozen import FrozenMapping
from spaces.prior import Prior

Value: TypeAlias = float | int | str | bool
"""What a parameter can be set to."""

HEAVIEST = 1e6
"""A weight above it leaves nothing to be tried."""


@dataclass(frozen=True, slots=True)
class Float:
    """A real number in [low, high].

    Args:
        low: The smallest value; above 0 where `log` is true.
        high: The largest value; ``high == low`` fixes the parameter.
        log: Equal factors count as equally far.
        step: Distance of neighbouring values, a whole part of the range; none where every number counts.
        default: The baseline's value; none takes the middle (geometric where `log` is true).
        prior: Where good values are believed to lie; none believes nothing.

    Raises:
        InvalidSpace: A bound, step, default or prior breaks one of these laws.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    default: float | None = None
    prior: Prior | None = None

    def __post_init__(self) -> None:
        for field in ("low", "high", "step", "default"):
            value = getattr(self, field)
            if value is not None or field in {"low", "high"}:
                object.__setattr__(self, field, numbers.finite(field, value))
        numbers.check_range(self.low, self.high, self.log)
        if self.step is not None:
            numbers.check_float_grid(self.low, self.high, self.log, self.step)
        if self.default is not None and not self.contains(self.default):
            raise InvalidSpace(f"`default` must be {self._law()}, but got {shown(self.default)}")
        _check_prior(self)

    @property
    def is_fixed(self) -> bool:
        """Whether there is one value only."""
        return self.low == self.high

    def contains(self, value: object) -> bool:
        """Whether `value` is a number (a bool is none) in [low, high], on the grid where there is one."""
        if not numbers.is_number(value) or not self.low <= value <= self.high:
            return False
        return self.step is None or numbers.on_grid(float(value), self.low, self.step)

    def nearest(self, value: float) -> float:
        """The value of this domain closest to `value`."""
        inside = min(max(float(value), self.low), self.high)
        if self.step is None:
            return inside
        return min(self.at(round((inside - self.low) / self.step)), self.high)

    def at(self, index: int) -> float:
        """``low + index · step``, as one would write it: 0.3, not 0.30000000000000004. Needs a step."""
        return numbers.grid_value(self.low, self.step or 0.0, index)

    def baseline(self) -> float:
        """The default, or the middle."""
        return (
            self.nearest(numbers.middle(self.low, self.high, self.log))
            if self.default is None
            else self.default
        )

    def check(self, name: str, value: object) -> None:
        """Whether `value` is contained; the sentence calls it `name`.

        Raises:
            InvalidParams: It is not.
        """
        if not self.contains(value):
            raise InvalidParams(f"`{name}` must be {self._law()}, but got {shown(value)}")

    def neighbours(self, value: Value) -> Iterator[float]:
        """Down and up: by a factor of 3 on a log scale, else by a quarter of the range; never `value`."""
        here = float(value)
        for moved in numbers.moves(here, self.low, self.high, self.log, factor=3.0, least=self.step or 0.0):
            there = self.nearest(float(f"{moved:.6g}"))  # 0.0003 reads better than 0.00030000000000000003
            there = self.nearest(moved) if there == here else there
            if there != here:
                yield there

    def _law(self) -> str:
        grid = "" if self.step is None else f" on the grid of step {self.step!r}"
        return f"a number in [{self.low!r}, {self.high!r}]{grid}"


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number in [low, high].

    Args:
        low: The smallest value; above 0 where `log` is true.
        high: The largest value; ``high == low`` fixes the parameter.
        log: Equal factors count as equally far.
        step: Distance of neighbouring values, which divides ``high - low``; 1 where `log` is true.
        default: The baseline's value; none takes the middle (geometric where `log` is true).
        prior: Where good values are believed to lie; none believes nothing.

    Raises:
        InvalidSpace: A bound, step, default or prior breaks one of these laws.
    """

    low: int
    high: int
    log: bool = False
    step: int = 1
    default: int | None = None
    prior: Prior | None = None

    def __post_init__(self) -> None:
        for field in ("low", "high", "step", "default"):
            value = getattr(self, field)
            if value is not None or field != "default":
                numbers.whole(field, value)
        numbers.check_range(self.low, self.high, self.log)
        numbers.check_int_grid(self.low, self.high, self.log, self.step)
        if self.default is not None and not self.contains(self.default):
            raise InvalidSpace(f"`default` must be {self._law()}, but got {shown(self.default)}")
        _check_prior(self)

    @property
    def is_fixed(self) -> bool:
        """Whether there is one value only."""
        return self.low == self.high

    def contains(self, value: object) -> bool:
        """Whether `value` is an int (neither a bool nor 3.0) in [low, high], on the grid."""
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
            and (value - self.low) % self.step == 0
        )

    def nearest(self, value: float) -> int:
        """The value of this domain closest to `value`."""
        inside = min(max(value, self.low), self.high)
        return self.at(round((inside - self.low) / self.step))

    def at(self, index: int) -> int:
        """``low + index · step``."""
        return self.low + index * self.step

    def baseline(self) -> int:
        """The default, or the middle."""
        return (
            self.nearest(numbers.middle(self.low, self.high, self.log))
            if self.default is None
            else self.default
        )

    def check(self, name: str, value: object) -> None:
        """Whether `value` is contained; the sentence calls it `name`.

        Raises:
            InvalidParams: It is not.
        """
        if not self.contains(value):
            raise InvalidParams(f"`{name}` must be {self._law()}, but got {shown(value)}")

    def neighbours(self, value: Value) -> Iterator[int]:
        """Down and up: by a factor of 2 on a log scale, else by a quarter of the range; never `value`."""
        here = int(value)
        for moved in numbers.moves(here, self.low, self.high, self.log, factor=2.0, least=self.step):
            there = self.nearest(moved)
            if there != here:
                yield there

    def _law(self) -> str:
        grid = "" if self.step == 1 else f" on the grid of step {self.step}"
        return f"a whole number in [{self.low}, {self.high}]{grid}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several options, in no order.

    Args:
        options: At least one; words, finite numbers, true or false, no two of them equal.
        default: The baseline's option; none takes the first.
        prior: How much likelier than the others some options are believed to be good: weights above 0, where an
            option without one weighs 1; none believes nothing.

    Raises:
        InvalidSpace: An option, the default or the prior breaks one of these laws.
    """

    options: tuple[Value, ...]
    default: Value | None = None
    prior: Mapping[Value, float] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.options, (list, tuple)):
            raise InvalidSpace(f"`options` must be a list, but got {shown(self.options)}")
        object.__setattr__(self, "options", tuple(self.options))
        if not self.options:
            raise InvalidSpace("`options` must have at least one entry, but got none")
        for option in self.options:
            if not (isinstance(option, (str, bool)) or numbers.is_finite(option)):
                raise InvalidSpace(
                    f"`options` must be words, finite numbers, true or false, but got {shown(option)}"
                )
        if len(set(self.options)) < len(
            self.options
        ):  # 1, 1.0 and true are equal, and no sampler tells them apart
            raise InvalidSpace(f"`options` must differ from each other, but got {shown(list(self.options))}")
        if self.default is not None and not self.contains(self.default):
            raise InvalidSpace(f"`default` must be {self._law()}, but got {shown(self.default)}")
        self._check_prior()

    def _check_prior(self) -> None:
        if self.prior is None:
            return
        if not isinstance(self.prior, Mapping) or not self.prior:
            raise InvalidSpace(
                f"`prior` must be a mapping of options to weights, but got {shown(self.prior)}"
            )
        for option, weight in self.prior.items():
            if not self.contains(option):
                hint = did_you_mean(option, self.options)
                raise InvalidSpace(f"`prior` must weigh {self._law()}, but got {shown(option)}{hint}")
            if not numbers.is_finite(weight) or not 0 < weight <= HEAVIEST:
                raise InvalidSpace(
                    f"a weight of `prior` must be in (0, {HEAVIEST:g}], but got {shown(weight)}"
                )
        object.__setattr__(self, "prior", FrozenMapping(self.prior))

    @property
    def weights(self) -> tuple[float, ...]:
        """Of each option in the prior."""
        return tuple(float((self.prior or {}).get(option, 1.0)) for option in self.options)

    @property
    def is_fixed(self) -> bool:
        """Whether there is one option only."""
        return len(self.options) == 1

    def contains(self, value: object) -> bool:
        """Whether `value` is an option; true is not 1."""
        return any(
            value == option and isinstance(value, bool) == isinstance(option, bool) for option in self.options
        )

    def baseline(self) -> Value:
        """The default, or the first option."""
        return self.options[0] if self.default is None else self.default

    def check(self, name: str, value: object) -> None:
        """Whether `value` is an option; the sentence calls it `name`.

        Raises:
            InvalidParams: It is not; the closest option is named.
        """
        if not self.contains(value):
            hint = did_you_mean(value, self.options)
            raise InvalidParams(f"`{name}` must be {self._law()}, but got {shown(value)}{hint}")

    def neighbours(self, value: Value) -> Iterator[Value]:
        """All other options."""
        return (option for option in self.options if option != value)

    def _law(self) -> str:
        return f"one of {', '.join(str(option) for option in self.options)}"


def _check_prior(leaf: Float | Int) -> None:
    if leaf.prior is None:
        return
    if not isinstance(leaf.prior, Prior):
        raise InvalidSpace(f"`prior` must be a Prior, but got {shown(leaf.prior)}")
    if not leaf.low <= leaf.prior.center <= leaf.high:
        raise InvalidSpace(
            f"`low <= center of prior <= high` must hold, but got {leaf.prior.center!r} with "
            f"low={leaf.low!r}, high={leaf.high!r}"
        )


Leaf: TypeAlias = Float | Int | Choice
"""What a sampler is asked for."""
