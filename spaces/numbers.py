"""The laws and the arithmetic of numeric ranges, apart from the domains that use them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import TypeGuard

from spaces.errors import InvalidSpace, shown

LARGEST_INT = 2**53
"""Samplers (Optuna's among them) carry integers as floats, which are exact up to here."""

MOST_STEPS = 10**6
"""A finer grid than this is no grid."""


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is an int or a float; a bool is neither."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_finite(value: object) -> TypeGuard[float]:
    """Whether `value` is a number that a float can hold, neither infinite nor NaN."""
    try:
        return is_number(value) and math.isfinite(value)
    except OverflowError:
        return False


def finite(field: str, value: object) -> float:
    """`value` as a float; the sentence calls it `field`.

    Raises:
        InvalidSpace: It is no finite number.
    """
    if not is_finite(value):
        raise InvalidSpace(f"`{field}` must be a finite number, but got {shown(value)}")
    return float(value)


def whole(field: str, value: object) -> None:
    """Whether `value`, called `field`, is an int that a float can hold exactly.

    Raises:
        InvalidSpace: It is not.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidSpace(f"`{field}` must be a whole number, but got {shown(value)}")
    if abs(value) > LARGEST_INT:
        raise InvalidSpace(f"`-2**53 <= {field} <= 2**53` must hold, but got {shown(value)}")


def check_range(low: float, high: float, log: object) -> None:
    """Whether ``low <= high``, both above 0 on a log scale, and not absurdly far apart.

    Raises:
        InvalidSpace: One of these laws does not hold.
    """
    if not isinstance(log, bool):
        raise InvalidSpace(f"`log` must be true or false, but got {shown(log)}")
    if low > high:
        raise InvalidSpace(f"`low <= high` must hold, but got low={low!r}, high={high!r}")
    if log and low <= 0:
        raise InvalidSpace(f"`low > 0` must hold where `log` is true, but got low={low!r}")
    if not math.isfinite(float(high) - float(low)):
        raise InvalidSpace(f"`high - low` must be finite, but got low={low!r}, high={high!r}")


def check_float_grid(low: float, high: float, log: bool, step: float) -> None:
    """Whether `step` is above 0, divides the range, and the scale is linear.

    Raises:
        InvalidSpace: One of these laws does not hold.
    """
    if log:
        raise InvalidSpace(f"`step` must not be given where `log` is true, but got step={step!r}")
    if step <= 0:
        raise InvalidSpace(f"`step > 0` must hold, but got step={step!r}")
    if (high - low) / step > MOST_STEPS:
        raise InvalidSpace(
            f"`(high - low) / step <= 10**6` must hold, but got {low=!r}, {high=!r}, {step=!r}"
        )
    if (Decimal(repr(high)) - Decimal(repr(low))) % Decimal(repr(step)):
        raise InvalidSpace(f"`step` must divide `high - low`, but got {low=!r}, {high=!r}, {step=!r}")


def check_int_grid(low: int, high: int, log: bool, step: int) -> None:
    """Whether `step` is at least 1, divides the range, and is 1 on a log scale.

    Raises:
        InvalidSpace: One of these laws does not hold.
    """
    if step < 1:
        raise InvalidSpace(f"`step >= 1` must hold, but got step={step}")
    if log and step != 1:
        raise InvalidSpace(f"`step == 1` must hold where `log` is true, but got step={step}")
    if (high - low) % step:
        raise InvalidSpace(f"`step` must divide `high - low`, but got {low=}, {high=}, {step=}")


def grid_value(low: float, step: float, index: int) -> float:
    """``low + index · step`` as one would write it: 0.3, not 0.30000000000000004."""
    return float(Decimal(repr(low)) + index * Decimal(repr(step)))


def on_grid(value: float, low: float, step: float) -> bool:
    """Whether `value` is ``low + k · step``, but for rounding."""
    distance = abs(value - grid_value(low, step, round((value - low) / step)))
    return distance <= max(1e-8 * step, 4 * math.ulp(value))


def middle(low: float, high: float, log: bool) -> float:
    """The middle of [low, high], geometric where `log` is true."""
    return math.exp((math.log(low) + math.log(high)) / 2) if log else low + (high - low) / 2


def moves(value: float, low: float, high: float, log: bool, factor: float, least: float) -> Iterator[float]:
    """One number below and one above `value`, by a fair step; the bound where the step would pass it.

    Args:
        value: In [low, high].
        low: Lower bound.
        high: Upper bound.
        log: Step by `factor`; else by a quarter of the range.
        factor: Above 1.
        least: The smallest step that can be taken at all.
    """
    step = max((high - low) / 4, least)
    down, up = (value / factor, value * factor) if log else (value - step, value + step)
    if log:
        down, up = min(down, value - least), max(up, value + least)
    # A step too small to change a float goes to the bound; so does one that leaves the range.
    yield low if down <= low or down == value else down
    yield high if up >= high or up == value else up
