"""Spaces as plain data, in both directions: what a YAML file says, and what a ledger keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spaces.domain import Choice, Domain, Float, Int, Switch
from spaces.errors import InvalidSpace, known_names, shown
from spaces.prior import read_prior, read_weights, written_prior
from spaces.space import SearchSpace, check_name

Place = tuple[str | int, ...]
"""Keys and indices from the top of a document down to an entry."""

NOTES = ("source", "description")
FIELDS = {
    "float": ("log", "step", "default", "prior"),
    "int": ("log", "step", "default", "prior"),
    "choice": ("default", "prior"),
    "switch": ("default", "prior"),
}
"""Each kind of parameter, and what may be said about it besides its values and notes."""


def written(space: SearchSpace) -> dict[str, object]:
    """`space` as mappings, lists and scalars, in the form of a YAML file."""
    return {"name": space.name, "description": space.description, "parameters": _parameters(space)}


def _parameters(space: SearchSpace) -> dict[str, object]:
    return {name: _entry(domain) for name, domain in space.parameters.items()}


def _entry(domain: Domain) -> dict[str, object]:
    entry: dict[str, object]
    match domain:
        case Switch():
            entry = {"switch": {branch: _parameters(inner) for branch, inner in domain.branches.items()}}
        case Choice():
            entry = {"choice": list(domain.options)}
        case Float():
            entry = {"float": [domain.low, domain.high]}
            entry |= {} if domain.step is None else {"step": domain.step}
        case Int():
            entry = {"int": [domain.low, domain.high]}
            entry |= {} if domain.step == 1 else {"step": domain.step}
    if isinstance(domain, (Float, Int)) and domain.log:
        entry["log"] = True
    if domain.default is not None:
        entry["default"] = domain.default
    if isinstance(domain, (Float, Int)) and domain.prior is not None:
        entry["prior"] = written_prior(domain.prior)
    elif isinstance(domain, (Choice, Switch)) and domain.prior is not None:
        # Pairs, for JSON has words alone as keys.
        entry["prior"] = [[option, weight] for option, weight in domain.prior.items()]
    return entry


def space_from_dict(
    data: object, lines: Callable[[Place], int] | None = None, source: str = ""
) -> SearchSpace:
    """The space that `data` describes.

    Args:
        data: What `SearchSpace.to_dict` gives, or a YAML file holds.
        lines: Line of the entry at a place, for messages; none where there are no lines.
        source: What to call the data in messages.

    Raises:
        InvalidSpace: The data are no space; one sentence with source, line, law and value.
    """
    return _Reading(lines, source).space(data)


class _Reading:
    """One document's reading; knows how to point at an entry of it."""

    def __init__(self, lines: Callable[[Place], int] | None, source: str) -> None:
        self._lines = lines
        self._source = source

    def error(self, place: Place, law: str) -> InvalidSpace:
        where = [self._source] if self._source else []
        if self._lines is not None:
            where.append(f"line {self._lines(place)}")
        return InvalidSpace(f"{', '.join(where)}: {law}" if where else law)

    def space(self, data: object) -> SearchSpace:
        if not isinstance(data, Mapping):
            raise self.error((), f"a space must be a mapping with `parameters`, but got {_kind(data)}")
        known = ("name", "description", "parameters")
        for key in data:
            if key not in known:
                raise self.error((key,), f"a space has no {shown(key)}{known_names(key, known)}")
        for key in ("name", "description"):
            if not isinstance(data.get(key, ""), str):
                raise self.error((key,), f"`{key}` must be words, but got {shown(data[key])}")
        parameters = data.get("parameters")
        if not isinstance(parameters, Mapping) or not parameters:
            raise self.error(
                ("parameters",),
                f"`parameters` must be a mapping with at least one entry, but got {_kind(parameters)}",
            )
        inner = self.parameters(parameters, ("parameters",), "")
        return SearchSpace(inner, data.get("name", ""), data.get("description", ""))

    def parameters(self, data: Mapping[object, object], place: Place, prefix: str) -> dict[str, Domain]:
        found: dict[str, Domain] = {}
        for key, entry in data.items():
            name = self.name(key, place)
            found[name] = self.domain(entry, (*place, name), prefix + name)
        return found

    def name(self, key: object, place: Place) -> str:
        try:
            check_name(key)
        except InvalidSpace as error:
            raise self.error((*place, str(key)), str(error)) from None
        return str(key)

    def domain(self, entry: object, place: Place, name: str) -> Domain:
        kinds = [key for key in entry if key in FIELDS] if isinstance(entry, Mapping) else []
        if not isinstance(entry, Mapping) or len(kinds) != 1:
            got = " and ".join(kinds) or (
                f"only {', '.join(map(str, entry)) or 'nothing'}"
                if isinstance(entry, Mapping)
                else _kind(entry)
            )
            raise self.error(place, f"{name} must have exactly one of {', '.join(FIELDS)}, but got {got}")
        kind = kinds[0]
        allowed = (*FIELDS[kind], *NOTES)
        for key, value in entry.items():
            if key != kind and key not in allowed:
                hint = known_names(key, allowed)
                raise self.error((*place, key), f"{name}: a {kind} has no {shown(key)}{hint}")
            if key in NOTES and not isinstance(value, str):
                raise self.error((*place, key), f"{name}: `{key}` must be words, but got {shown(value)}")
        given = {key: entry[key] for key in FIELDS[kind] if entry.get(key) is not None}
        if kind == "switch":
            return self.switch(entry[kind], given, place, name)
        return self.leaf(kind, entry[kind], given, place, name)

    def switch(self, data: object, given: dict[str, object], place: Place, name: str) -> Domain:
        if not isinstance(data, Mapping) or not data:
            raise self.error(
                (*place, "switch"),
                f"{name}: `switch` must be a mapping of at least one branch, but got {_kind(data)}",
            )
        branches = {}
        for key, inner in data.items():
            branch = self.name(key, (*place, "switch"))
            below = (*place, "switch", branch)
            if inner is not None and not isinstance(inner, Mapping):
                raise self.error(
                    below,
                    f"{name}.{branch} must be a mapping of parameters (or empty), but got {_kind(inner)}",
                )
            branches[branch] = SearchSpace(self.parameters(inner or {}, below, f"{name}.{branch}."))
        return self.made(lambda **fields: Switch(branches, **fields), given, place, "switch", name)

    def leaf(self, kind: str, data: object, given: dict[str, object], place: Place, name: str) -> Domain:
        if kind == "choice":
            if not isinstance(data, (list, tuple)):
                raise self.error((*place, kind), f"{name}: `choice` must be a list, but got {_kind(data)}")
            return self.made(lambda **fields: Choice(tuple(data), **fields), given, place, kind, name)
        if not isinstance(data, (list, tuple)) or len(data) != 2:
            got = shown(data) if isinstance(data, (list, tuple)) else _kind(data)
            raise self.error((*place, kind), f"{name}: `{kind}` must be [low, high], but got {got}")
        low, high = data
        make = Float if kind == "float" else Int
        return self.made(lambda **fields: make(low, high, **fields), given, place, kind, name)

    def made(
        self, make: Callable[..., Domain], given: dict[str, object], place: Place, kind: str, name: str
    ) -> Domain:
        """The domain, its fields added one by one: the first that breaks a law is pointed at."""
        fields: dict[str, object] = {}
        for key in (kind, *given):
            try:
                if key != kind:
                    fields[key] = _prior(kind, given[key]) if key == "prior" else given[key]
                domain = make(**fields)
            except InvalidSpace as error:
                raise self.error((*place, key), f"{name}: {error}") from None
        return domain


def _prior(kind: str, value: object) -> object:
    """A prior as the domain takes it."""
    if kind in {"float", "int"}:
        return read_prior(value)
    return read_weights(value)


def _kind(value: object) -> str:
    """`value` in a sentence: what it is, if it is too much to be shown."""
    if value is None:
        return "nothing"
    if isinstance(value, (Mapping, list, tuple)):
        return f"{'an empty' if not value else 'a'} {'mapping' if isinstance(value, Mapping) else 'list'}"
    return shown(value)
