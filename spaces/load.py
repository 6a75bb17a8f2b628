"""Spaces from presets, YAML files and Python objects."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from spaces.document import read_document
from spaces.errors import InputError, did_you_mean, shown
from spaces.locate import locate
from spaces.space import SearchSpace
from spaces.written import space_from_dict

PRESETS = Path(__file__).parent / "presets"
"""The spaces that come with the project, one YAML file each."""


def preset_names() -> tuple[str, ...]:
    """Names of the spaces that come with the project."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.yaml")))


def preset_path(name: str) -> Path:
    """The file of a preset, to be copied and edited.

    Raises:
        InputError: There is no preset of that name.
    """
    names = preset_names()
    if name not in names:
        raise InputError(
            f"a space must be one of {', '.join(names)}, a .yaml file or 'package.module:attribute', "
            f"but got {shown(name)}{did_you_mean(name, names)}"
        )
    return PRESETS / f"{name}.yaml"


def load_space(name_or_path: str) -> SearchSpace:
    """A preset by its name, a space from a YAML file, or one made in Python.

    Args:
        name_or_path: ``finetune``, ``mine.yaml``, or ``package.module:attribute`` (which imports, and so
            runs, that module).

    Raises:
        InputError: There is no such space, or it is wrong: one sentence with file, line, law and value.
    """
    name_or_path = str(name_or_path)  # a Path is welcome
    if name_or_path.lower().endswith((".yaml", ".yml")):
        return _read(Path(name_or_path))
    if ":" in name_or_path:
        space = locate(name_or_path)
        if not isinstance(space, SearchSpace):
            raise InputError(f"{name_or_path!r} must be a SearchSpace, but got a {type(space).__name__}")
        return space
    return _preset(name_or_path)


@cache
def _preset(name: str) -> SearchSpace:
    return _read(preset_path(name))


def _read(path: Path) -> SearchSpace:
    document = read_document(path)
    return space_from_dict(document.data, document.line, document.source)
