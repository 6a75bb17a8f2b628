"""Pydantic's complaints in the project's own words: the law, then the value."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from spaces.errors import did_you_mean, known_names, shown

_ORDERS = {"greater_than_equal": (">=", "ge"), "greater_than": (">", "gt"), "less_than_equal": ("<=", "le"),
           "less_than": ("<", "lt")}  # fmt: skip

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "bool": "true or false",
    "string": "text",
    "dict": "a mapping",
    "model": "a mapping",
    "tuple": "a list",
    "list": "a list",
}
"""What a field of each of pydantic's kinds takes, by the beginning of the error's type."""


def broken_law(error: ValidationError, fields: Collection[str]) -> tuple[tuple[str | int, ...], str]:
    """The first complaint of `error`: the place in the data, and a sentence without a full stop.

    Args:
        error: What validating a model said.
        fields: Names of the model's fields; what else was given is unknown.

    Returns:
        The path to the offending entry (empty if a law about several fields is broken), and the sentence.
    """
    complaints = error.errors()
    # A name mistyped is why another one is missing.
    first = next((one for one in complaints if one["type"] == "extra_forbidden"), complaints[0])
    name = str(first["loc"][0]) if first["loc"] else ""
    # A field of several kinds complains once for each, with the kind at the end of the place.
    alike = [one for one in complaints if one["loc"][:1] == first["loc"][:1]]
    if len(alike) > 1 and all(_is_kind(one) for one in alike):
        kinds = " or ".join(dict.fromkeys(_kind(one) for one in alike))
        return (name,), f"`{name}` must be {kinds}, but got {shown(first['input'])}"
    place = tuple(first["loc"])
    return place, _sentence(first, ".".join(str(part) for part in place), fields)


def _sentence(one: ErrorDetails, name: str, fields: Collection[str]) -> str:
    kind, got = one["type"], shown(one["input"])
    context: dict[str, Any] = one.get("ctx", {})
    if kind in _ORDERS:
        sign, key = _ORDERS[kind]
        limit = context[key]
        limit = f"{limit:g}" if isinstance(limit, float) else limit
        return f"`{name} {sign} {limit}` must hold, but got {name}={got}"
    if kind == "extra_forbidden":
        last = one["loc"][-1]
        return f"there is no setting {shown(last)}{known_names(last, fields)}"
    if kind == "missing":
        return f"`{name}` must be given"
    if kind in {"value_error", "assertion_error"}:  # a law of the model's own, with its value
        return one["msg"].partition(", ")[2]
    if kind == "literal_error":
        hint = did_you_mean(
            one["input"], str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        )
        return f"`{name}` must be {_kind(one)}, but got {got}{hint}"
    if _is_kind(one):
        return f"`{name}` must be {_kind(one)}, but got {got}"
    return f"`{name}`: {one['msg'][:1].lower()}{one['msg'][1:]}, but got {got}"


def _is_kind(one: ErrorDetails) -> bool:
    return one["type"] == "literal_error" or any(one["type"].startswith(kind) for kind in _KINDS)


def _kind(one: ErrorDetails) -> str:
    if one["type"] == "literal_error":
        return str(one.get("ctx", {})["expected"])
    return next(words for kind, words in _KINDS.items() if one["type"].startswith(kind))
