"""What a user's own code is made of: the file that is named, and all of their own that it imports."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any


def fingerprint_of(own: Any) -> str:
    """The same as long as the code is: of the module that `own` is defined in, and of what that imports.

    Modules of installed packages and of Python itself are left out: their versions speak for them. Code without a
    file, made in a session, say, never has the same fingerprint twice.

    Args:
        own: A function or class.
    """
    digest = hashlib.blake2b(digest_size=16)
    module = sys.modules.get(getattr(own, "__module__", ""))
    for one in sorted(_reached(module), key=lambda found: found.__name__):
        try:
            digest.update(Path(str(one.__file__)).read_bytes())
        except OSError:
            digest.update(os.urandom(16))
    if module is None or _file(module) is None:
        digest.update(os.urandom(16))
    return digest.hexdigest()


def _reached(start: ModuleType | None) -> list[ModuleType]:
    """The modules with files of the user's own that are reached from one of them."""
    found: dict[str, ModuleType] = {}
    ahead = [start] if start is not None and _is_own(start) else []
    while ahead:
        module = ahead.pop()
        if module.__name__ not in found:
            found[module.__name__] = module
            ahead += [other for other in _imported(module) if _is_own(other)]
    return list(found.values())


def _imported(module: ModuleType) -> Iterator[ModuleType]:
    """What a module's names lead to; and the packages that it is in, whose files ran before it."""
    parts = module.__name__.split(".")
    names = {".".join(parts[:end]) for end in range(1, len(parts))}
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            names.add(name)
    yield from (sys.modules[name] for name in names if name in sys.modules)


def _is_own(module: ModuleType) -> bool:
    file = _file(module)
    return file is not None and not any(file.is_relative_to(folder) for folder in _installed())


def _file(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _installed() -> set[Path]:
    """Where Python keeps what is installed."""
    return {
        Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
