"""A study's own changes to a space, by the parameters' qualified names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.domain import Choice, Domain, Float, Int, Switch
from spaces.errors import InvalidSpace, did_you_mean, known_names, shown
from spaces.numbers import is_finite
from spaces.prior import read_prior, read_weights
from spaces.space import SearchSpace

RANGE = ("low", "high", "log", "step", "default", "prior")


def narrow(space: SearchSpace, changes: Mapping[str, object]) -> SearchSpace:
    """`space` with `changes`.

    A default that falls outside moves to the nearest value inside (to the first option that is left).
    A grid stays: new bounds move inwards onto it, unless `step` is given too.

    Args:
        space: The space to change; it stays as it is.
        changes: Qualified name → a value (fixes the parameter), ``[low, high]`` (another range, which
            may also be wider), a list of options or branches (fewer of them), or a mapping of just the
            fields that change (``low``, ``high``, ``log``, ``step``, ``default``, ``prior``, ``options``).

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
            domain = Switch(branches, domain.default, domain.prior)
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
            choice = _options(domain.choice, change)
            branches = {name: inner for name, inner in domain.branches.items() if name in choice.options}
            default = None if choice.default is None else str(choice.default)
            prior = (
                None if choice.prior is None else {str(name): weight for name, weight in choice.prior.items()}
            )
            return Switch(branches, default, prior)
        case Choice():
            return _options(domain, change)
        case Float() | Int():
            return _range(domain, change)


def _fields(change: Mapping[object, object], allowed: tuple[str, ...]) -> dict[str, Any]:
    for key in change:
        if key not in allowed:
            raise InvalidSpace(f"a change has no {shown(key)}{known_names(key, allowed)}")
    return {str(key): value for key, value in change.items()}


def _range(domain: Float | Int, change: object) -> Float | Int:
    given = change if isinstance(change, Mapping) else {}
    if isinstance(change, Mapping):
        fields = _fields(change, RANGE)
    elif isinstance(change, (list, tuple)) and len(change) == 2:
        fields = {"low": change[0], "high": change[1]}
    elif is_finite(change):
        # A single value has neither a grid nor a scale, so that a weight decay of 0 can be fixed.
        return _made(domain, {"low": change, "high": change, "default": change})
    else:
        raise InvalidSpace(
            f"a change must be a number, [low, high] or a mapping of fields, but got {shown(change)}"
        )
    later = {"default", "prior"}
    old = {name: getattr(domain, name) for name in RANGE if name not in {*later, "step"}}
    changed = _made(domain, old | {name: value for name, value in fields.items() if name not in later})
    if "step" not in given:
        changed = _onto_grid(domain, changed)
    default = fields.get("default")
    if default is None and domain.default is not None:
        default = changed.nearest(domain.default)
    prior = None if fields.get("prior") is None else read_prior(fields["prior"])
    if "prior" not in fields and domain.prior is not None:
        center = min(max(domain.prior.center, changed.low), changed.high)
        prior = replace(domain.prior, center=center)
    new = {name: getattr(changed, name) for name in RANGE} | {"default": default, "prior": prior}
    return _made(changed, new)


def _made(like: Float | Int, fields: Mapping[str, Any]) -> Float | Int:
    return Float(**fields) if isinstance(like, Float) else Int(**fields)


def _onto_grid(domain: Float | Int, wanted: Float | Int) -> Float | Int:
    """The values of `domain`'s grid, continued beyond its bounds, that lie in `wanted`'s range."""
    if domain.step is None:
        return wanted
    first = math.ceil((wanted.low - domain.low) / domain.step - 1e-8)
    last = math.floor((wanted.high - domain.low) / domain.step + 1e-8)
    if first > last:
        raise InvalidSpace(
            f"a value of the grid of step {domain.step!r} must lie in the range, but got "
            f"low={wanted.low!r}, high={wanted.high!r}"
        )
    bounds = {"low": domain.at(first), "high": domain.at(last), "step": domain.step}
    return _made(domain, {"log": wanted.log} | bounds)


def _options(choice: Choice, change: object) -> Choice:
    """The options that are left, in their old order, with the default and the prior's weights among them."""
    fields: dict[str, Any] = {}
    wanted: object = change if isinstance(change, (list, tuple)) else [change]
    if isinstance(change, Mapping):
        fields = _fields(change, ("options", "default", "prior"))
        wanted = fields.get("options", choice.options)
    if not isinstance(wanted, (list, tuple)) or not wanted:
        raise InvalidSpace(f"`options` must be a list of at least one, but got {shown(wanted)}")
    for option in wanted:
        if not choice.contains(option):
            listed = ", ".join(map(str, choice.options))
            hint = did_you_mean(option, choice.options)
            raise InvalidSpace(f"an option must be one of {listed}, but got {shown(option)}{hint}")
    left = tuple(option for option in choice.options if option in wanted)
    if "prior" in fields:
        prior = read_weights(fields["prior"])
    else:
        prior = {option: weight for option, weight in (choice.prior or {}).items() if option in left} or None
    default = fields.get("default")
    if default is None:
        return Choice(left, choice.default if choice.default in left else None, prior)
    if not Choice(left).contains(default):
        raise InvalidSpace(f"`default` must be one of {', '.join(map(str, left))}, but got {shown(default)}")
    return Choice(left, next(option for option in left if option == default), prior)
