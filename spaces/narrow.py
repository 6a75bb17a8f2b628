"""A study's own changes to a space, by the parameters' qualified names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from spaces.domain import Choice, Domain, Float, Int, Switch, Value
from spaces.errors import InvalidSpace, known_names, shown
from spaces.numbers import is_finite
from spaces.space import SearchSpace

RANGE = ("low", "high", "log", "step", "default")


def narrow(space: SearchSpace, changes: Mapping[str, object]) -> SearchSpace:
    """`space` with `changes`.

    A default that falls outside moves to the nearest value inside (to the first option that is left).
    A grid stays: new bounds move inwards onto it, unless `step` is given too.

    Args:
        space: The space to change; it stays as it is.
        changes: Qualified name → a value (fixes the parameter), ``[low, high]`` (another range, which
            may also be wider), a list of options or branches (fewer of them), or a mapping of just the
            fields that change (``low``, ``high``, ``log``, ``step``, ``default``, ``options``).

    Raises:
        InvalidSpace: An unknown name, or a change that breaks a law; the sentence names the parameter.
    """
    if not isinstance(changes, Mapping):
        raise InvalidSpace(f"changes must be a mapping of parameter names, but got {shown(changes)}")
    leaves = space.leaves()
    for name in changes:
        if name not in leaves:
            raise InvalidSpace(f"there is no parameter {shown(name)} to narrow{known_names(name, leaves)}")
    return _narrow(space, changes, "")


def _narrow(space: SearchSpace, changes: Mapping[str, object], prefix: str) -> SearchSpace:
    parameters: dict[str, Domain] = {}
    for name, domain in space.parameters.items():
        qualified = prefix + name
        if isinstance(domain, Switch):
            branches = {
                branch: _narrow(inner, changes, f"{qualified}.{branch}.")
                for branch, inner in domain.branches.items()
            }
            domain = Switch(branches, domain.default)
        if qualified in changes:
            try:
                domain = _changed(domain, changes[qualified])
            except InvalidSpace as error:
                raise InvalidSpace(f"{qualified}: {error}") from None
        parameters[name] = domain
    return replace(space, parameters=parameters)


def _changed(domain: Domain, change: object) -> Domain:
    match domain:
        case Switch():
            options, default = _options(domain.choice, change)
            branches = {name: inner for name, inner in domain.branches.items() if name in options}
            return Switch(branches, None if default is None else str(default))
        case Choice():
            return Choice(*_options(domain, change))
        case Float() | Int():
            return _range(domain, change)


def _fields(change: Mapping[object, object], allowed: tuple[str, ...]) -> dict[str, object]:
    for key in change:
        if key not in allowed:
            raise InvalidSpace(f"a change has no {shown(key)}{known_names(key, allowed)}")
    return {str(key): value for key, value in change.items()}


def _range[R: (Float, Int)](domain: R, change: object) -> R:
    if isinstance(change, Mapping):
        fields = _fields(change, RANGE)
    elif isinstance(change, (list, tuple)) and len(change) == 2:
        fields = {"low": change[0], "high": change[1]}
    elif is_finite(change):
        # A single value has neither a grid nor a scale, so that a weight decay of 0 can be fixed.
        return type(domain)(change, change, default=change)
    else:
        raise InvalidSpace(f"a change must be a number, [low, high] or a mapping of fields, but got {shown(change)}")
    default = fields.pop("default", domain.default)
    kept_grid = domain.step is not None and "step" not in fields
    if domain.is_fixed or kept_grid:
        fields = {"step": 1 if isinstance(domain, Int) else None} | fields
    loose: R = replace(domain, default=None, **fields)
    if kept_grid and not domain.is_fixed:
        loose = _onto_grid(domain, loose)
    if "default" in (change if isinstance(change, Mapping) else ()) or default is None:
        return replace(loose, default=default)
    return replace(loose, default=loose.nearest(default))


def _onto_grid[R: (Float, Int)](domain: R, wanted: R) -> R:
    """The values of `domain`'s grid, continued beyond its bounds, that lie in `wanted`'s range."""
    step = domain.step
    assert step is not None
    first = math.ceil((wanted.low - domain.low) / step - 1e-8)
    last = math.floor((wanted.high - domain.low) / step + 1e-8)
    if first > last:
        raise InvalidSpace(
            f"a value of the grid of step {step!r} must lie in the range, but got "
            f"low={wanted.low!r}, high={wanted.high!r}"
        )
    return replace(wanted, low=domain.on_grid(first), high=domain.on_grid(last), step=step)


def _options(choice: Choice, change: object) -> tuple[tuple[Value, ...], Value | None]:
    """The options that are left, in their old order, and the default among them."""
    fields: dict[str, object] = {}
    if isinstance(change, Mapping):
        fields = _fields(change, ("options", "default"))
        wanted = fields.get("options", choice.options)
        if not isinstance(wanted, (list, tuple)):
            raise InvalidSpace(f"`options` must be a list, but got {shown(wanted)}")
    else:
        wanted = change if isinstance(change, (list, tuple)) else [change]
    for option in wanted:
        choice.check_option(option)
    left = tuple(option for option in choice.options if option in wanted)
    if fields.get("default") is not None:
        default = fields["default"]
        Choice(left).check_option(default)
        return left, next(option for option in left if option == default)
    return left, choice.default if choice.default in left else None
