"""Spaces from presets, YAML files and Python objects."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from spaces.document import Document, Place, read_document
from spaces.domain import Choice, Domain, Float, Int, Switch
from spaces.errors import InputError, InvalidSpace
from spaces.locate import locate
from spaces.space import SearchSpace

PRESETS = Path(__file__).parent / "presets"
KINDS = ("float", "int", "choice", "switch")
NOTES = {"source", "description"}
FIELDS = {
    "float": {"log", "step", "default"},
    "int": {"log", "step", "default"},
    "choice": {"default"},
    "switch": {"default"},
}


def preset_names() -> tuple[str, ...]:
    """Names of the spaces that come with the project."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.yaml")))


def preset_path(name: str) -> Path:
    """The file of a preset, to be copied and edited.

    Raises:
        InputError: There is no preset of that name.
    """
    if name not in preset_names():
        close = get_close_matches(name, preset_names(), n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise InputError(
            f"a space must be one of {', '.join(preset_names())}, a .yaml file or "
            f"'package.module:attribute', but got {name!r}{hint}"
        )
    return PRESETS / f"{name}.yaml"


def load_space(name_or_path: str) -> SearchSpace:
    """A preset by its name, a space from a YAML file, or one made in Python.

    Args:
        name_or_path: ``finetune``, ``mine.yaml``, or ``package.module:attribute`` (which imports, and so
            runs, that module).

    Raises:
        InputError: There is no such space, or it is wrong: the sentence gives file, line, law and value.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        return _from_document(read_document(Path(name_or_path)))
    if ":" in name_or_path:
        space = locate(name_or_path)
        if not isinstance(space, SearchSpace):
            raise InputError(f"{name_or_path!r} must be a SearchSpace, but is a {type(space).__name__}")
        return space
    return _from_document(read_document(preset_path(name_or_path)))


def space_from_dict(data: Mapping[str, Any], source: str = "space") -> SearchSpace:
    """The space that `SearchSpace.to_dict` gave.

    Raises:
        InputError: The data are no space.
    """
    return _from_document(Document(dict(data), source, {}))


def _from_document(document: Document) -> SearchSpace:
    data = document.data
    if not isinstance(data, dict):
        raise document.error((), f"a space must be a mapping, but got {_kind(data)}")
    for key in data:
        if key not in {"name", "description", "parameters"}:
            raise document.error((key,), f"a space has name, description and parameters, but got {key!r}")
    texts = {}
    for key in ("name", "description"):
        texts[key] = data.get(key, "")
        if not isinstance(texts[key], str):
            raise document.error((key,), f"{key} must be text, but got {texts[key]!r}")
    if "parameters" not in data:
        raise document.error((), "a space must have parameters, but has none")
    return _space(document, data["parameters"], ("parameters",), **texts)


def _space(document: Document, data: Any, place: Place, name: str = "", description: str = "") -> SearchSpace:
    if not isinstance(data, dict):
        raise document.error(place, f"parameters must be a mapping of names, but got {_kind(data)}")
    if not data and place == ("parameters",):
        raise document.error(place, "a space must have at least one parameter, but has none")
    parameters = {key: _domain(document, value, (*place, key)) for key, value in data.items()}
    try:
        return SearchSpace(parameters, name, description)
    except InvalidSpace as error:
        culprit = next((key for key in data if repr(key) in str(error)), None)
        raise document.error(place if culprit is None else (*place, culprit), str(error)) from None


def _domain(document: Document, data: Any, place: Place) -> Domain:
    name = place[-1]
    if not isinstance(data, dict):
        raise document.error(
            place, f"{name} must be a mapping with one of {', '.join(KINDS)}, but got {_kind(data)}"
        )
    kinds = [kind for kind in KINDS if kind in data]
    if len(kinds) != 1:
        raise document.error(
            place, f"{name} must have exactly one of {', '.join(KINDS)}, but has {', '.join(kinds) or 'none'}"
        )
    kind = kinds[0]
    for key in data:
        if key not in FIELDS[kind] | NOTES | {kind}:
            close = get_close_matches(str(key), FIELDS[kind] | NOTES, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise document.error((*place, key), f"{name}: a {kind} has no {key!r}{hint}")
    fields = {key: data[key] for key in FIELDS[kind] if key in data}
    if "log" in fields and not isinstance(fields["log"], bool):
        raise document.error((*place, "log"), f"{name}: log must be true or false, but got {fields['log']!r}")
    try:
        return _make(document, kind, data[kind], fields, (*place, kind))
    except InvalidSpace as error:
        key = next((key for key in ("default", "step") if f"`{key}`" in str(error) and key in data), kind)
        raise document.error((*place, key), f"{name}: {error}") from None


def _make(document: Document, kind: str, value: Any, fields: dict[str, Any], place: Place) -> Domain:
    name = place[-2]
    if kind in {"float", "int"}:
        if not isinstance(value, list) or len(value) != 2:
            raise document.error(place, f"{name}: {kind} must be [low, high], but got {value!r}")
        return (Float if kind == "float" else Int)(value[0], value[1], **fields)
    if kind == "choice":
        if not isinstance(value, list):
            raise document.error(place, f"{name}: choice must be a list of options, but got {value!r}")
        return Choice(tuple(value), **fields)
    if not isinstance(value, dict):
        raise document.error(place, f"{name}: switch must be a mapping of branches, but got {_kind(value)}")
    branches = {branch: _space(document, inner or {}, (*place, branch)) for branch, inner in value.items()}
    return Switch(branches, **fields)


def _kind(value: Any) -> str:
    return (
        "nothing"
        if value is None
        else f"{value!r}"
        if not isinstance(value, (dict, list))
        else type(value).__name__
    )
