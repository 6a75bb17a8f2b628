"""The user's own modules that a study names, for machines that do not have them."""

from __future__ import annotations

import re
import sys
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from search.execution.joined import own_packages
from search.spec import StudySpec

_NAMED = re.compile(r"(\w+)(\.\w+)*:\w+(\.\w+)*")


def own_code(spec: StudySpec) -> list[Path]:
    """Folder or file of each top-level module that is named as ``package.module:attribute`` and is not installed.

    What such a module imports must be in the same package, or installed.
    """
    tops = {match[1] for text in _texts(spec.model_dump()) if (match := _NAMED.fullmatch(text))}
    return [path for top in sorted(tops) if (path := _source(top)) is not None]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _source(top: str) -> Path | None:
    if top in sys.stdlib_module_names:
        return None
    found = find_spec(top)
    if found is None:
        return None
    places = list(found.submodule_search_locations or [])
    path = Path(places[0]) if places else Path(found.origin or "")
    installed = [Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")]
    path = path.resolve()
    if any(path.is_relative_to(one) for one in installed) or path in own_packages():
        return None
    return path if path.is_dir() or path.suffix == ".py" else None
