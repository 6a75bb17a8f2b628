"""A study's spec as it is written in a file and typed on the command line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from search.spec import LIMITS, StudySpec
from spaces import InputError, load_space, locate, preset_names
from spaces.document import Document, parse_value, read_document
from spaces.errors import did_you_mean, known_names, shown
from spaces.laws import broken_law
from trainables.config import HELD, KNOBS
from trainables.data.naming import BUILT_IN, absolute

STUDIES = Path(__file__).parent / "studies"
"""The built-in studies."""


def built_in_studies() -> tuple[str, ...]:
    """Names of the studies that come with the project."""
    return tuple(sorted(path.stem for path in STUDIES.glob("*.yaml")))


def load_spec(name_or_path: str, overrides: Mapping[str, Any] | None = None) -> StudySpec:
    """The spec of a built-in study or of a YAML file, with changes.

    Args:
        name_or_path: ``digits``, or a path that ends in .yaml or .yml. Files that it names (``space``,
            ``pretrained``) are looked for in its own folder first.
        overrides: Field names of the spec, or qualified parameter names (which narrow the space), to
            values. A name of both kinds narrows the space where the space has it.

    Raises:
        InputError: One sentence that says what is wrong, and on which line of which file.
    """
    path, document = _read(str(name_or_path))
    data = document.data
    if not isinstance(data, dict):
        raise InputError(f"{path.name}: a study must be a mapping of settings, but got {shown(data)}")
    given = dict(overrides or {})
    settings = {"name": path.stem, **data}
    for key in ("space", "pretrained", "data"):
        if key in data:
            settings[key] = _beside(path, data[key], folders=key == "data")
    if isinstance(given.get("data"), str):
        given["data"] = absolute(given["data"])
    if given:
        settings = _overridden(settings, given)
    try:
        spec = StudySpec.model_validate(settings)
    except ValidationError as error:
        place, law = broken_law(error, StudySpec.model_fields)
        raise InputError(_placed(law, place, path, document, given)) from None
    _check_narrow(spec, path, document, given)
    _reject_double_rule(spec, path, document, given)
    if spec.trainable != StudySpec.model_fields["trainable"].default and not callable(locate(spec.trainable)):
        raise InputError(f"`trainable` must name a function, but {shown(spec.trainable)} is none")
    return spec


def spec_like(spec: StudySpec, overrides: Mapping[str, Any]) -> StudySpec:
    """A study as another one, but for `overrides`, among them its name.

    Args:
        spec: The other one.
        overrides: As for `load_spec`.

    Raises:
        InputError: There is no new name, or a change makes no sense.
    """
    if overrides.get("name") in {None, spec.name}:
        raise InputError(f"a study like {spec.name!r} must have a name of its own: --name")
    settings = _overridden(json.loads(spec.model_dump_json()), dict(overrides))
    try:
        made = StudySpec.model_validate(settings)
    except ValidationError as error:
        raise InputError(broken_law(error, StudySpec.model_fields)[1]) from None
    made.search_space()
    return made


def _read(name_or_path: str) -> tuple[Path, Document]:
    path = Path(name_or_path)
    if path.suffix.lower() not in {".yaml", ".yml"}:
        names = built_in_studies()
        if name_or_path not in names:
            raise InputError(
                f"a study must be one of {', '.join(names)} or a .yaml file, "
                f"but got {shown(name_or_path)}{did_you_mean(name_or_path, names)}"
            )
        path = STUDIES / f"{name_or_path}.yaml"
    return path, read_document(path)


def _beside(path: Path, value: object, *, folders: bool) -> object:
    """A file that a study names, or a folder where it may be one, from the study's own folder where it is there."""
    try:
        given = isinstance(value, str) and bool(value) and value not in BUILT_IN
        beside = path.parent / str(value)
        found = given and ((folders and beside.is_dir()) or (bool(beside.suffix) and beside.is_file()))
    except (OSError, ValueError):  # too long for a name, or with a zero byte in it
        found = False
    return os.path.abspath(path.parent / str(value)) if found else value


def _overridden(settings: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Put each override where it belongs: a setting of the spec, or a change of the space."""
    other_data = "data" in overrides and overrides["data"] != settings.get("data", "digits")
    if any(limit in overrides for limit in LIMITS):
        settings = {key: value for key, value in settings.items() if key not in LIMITS}
    settings = dict(settings)
    for key in ("space", "narrow"):
        if key in overrides:
            settings[key] = overrides[key]
    changes = settings.get("narrow", {})
    if not isinstance(settings.get("space", ""), str) or not isinstance(changes, dict):
        return settings  # validation has the sentence for it
    leaves = load_space(settings.get("space", StudySpec.model_fields["space"].default)).leaves()
    narrow = dict(changes)
    if "space" in overrides and "narrow" not in overrides:
        # The file's changes are of the file's space: a space of the user's own means what it says, and what
        # another preset does not have cannot be meant.
        kept = leaves if settings["space"] in preset_names() else {}
        narrow = {name: change for name, change in narrow.items() if name in kept}
    for key, value in overrides.items():
        name = key.removeprefix("narrow.").removeprefix("space.")
        if name in leaves:
            narrow[name] = value
        elif key in StudySpec.model_fields:
            if key != "narrow":
                settings[key] = value
        elif name.partition(".")[0] in HELD and name.count(".") >= 2:
            held = settings.get("options", {})
            settings["options"] = {**held, name: value} if isinstance(held, dict) else held
        else:
            known = known_names(name, [*StudySpec.model_fields, *leaves])
            raise InputError(
                f"{shown(key)} is neither a setting of a study nor a parameter of its space{known}"
            )
    if other_data and "name" not in overrides:
        settings["name"] = _name_for(settings, str(overrides["data"]))
    return {**settings, "narrow": narrow}


def _name_for(settings: Mapping[str, Any], data: str) -> str:
    """A study on other data is another study: it gets the data set's name unless it is given one."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(data.replace(":", "-")).name).strip("-._")
    return words[:91] or str(settings["name"])


def _check_narrow(spec: StudySpec, path: Path, document: Document, given: Mapping[str, Any]) -> None:
    """A change of the space that is none, with its line."""
    space = load_space(spec.space)
    for name, change in spec.narrow.items():
        try:
            space.narrow({name: change})
        except InputError as error:
            typed = any(name in (key, key.partition(".")[2]) for key in given) or "narrow" in given
            where = "" if typed else f"{path.name}, line {document.line(('narrow', name))}: "
            raise InputError(f"{where}{error}") from None
    spec.search_space()  # all changes together


def _reject_double_rule(spec: StudySpec, path: Path, document: Document, given: Mapping[str, Any]) -> None:
    leaves = set(spec.search_space().leaves())
    both = sorted((leaves & set(KNOBS) & spec.model_fields_set) | (leaves & set(spec.options)))
    if both:
        law = (
            f"{both[0]!r} is searched by the space {spec.space!r}, so it must not be a setting too; "
            f"fix or narrow it with `narrow: {{{both[0]}: …}}`"
        )
        raise InputError(_placed(law, (both[0],), path, document, given))


def _placed(
    law: str, place: tuple[str | int, ...], path: Path, document: Document, given: Mapping[str, Any]
) -> str:
    """The sentence `law` with file and line, unless what it is about was typed and not read."""
    # A law about several fields has no place of its own; it names them with their values.
    names = [str(place[0])] if place else [name for name in StudySpec.model_fields if f"{name}=" in law]
    if any(name in given for name in names):
        return law
    written = [line for name in names if (line := document.lines.get((name, *place[1:])))]
    line = max(written) if written else document.line(place)
    return f"{path.name}, line {line}: {law}"


def parse_setting(text: str) -> tuple[str, Any]:
    """``key=value`` as typed after ``--set``; the value is read as YAML.

    Raises:
        InputError: There is no ``=``, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set must have the form key=value, but got {shown(text)}")
    return key.strip(), parse_value(value, source=f"--set {key.strip()}")
