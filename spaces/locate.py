"""Objects by name: ``package.module:attribute``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from spaces.errors import InputError


def locate(place: str) -> Any:
    """The object that ``package.module:attribute`` names. Importing a module runs its code.

    Raises:
        InputError: The name is not of that form, or nothing is there.
    """
    module, colon, attribute = place.partition(":")
    if not (module and colon and attribute):
        raise InputError(f"a name must have the form 'package.module:attribute', but got {place!r}")
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:  # the module is the user's: whatever breaks in it is theirs to mend
        reason = " ".join(str(error).split()) or "no reason given"
        raise InputError(f"{place!r} must be importable, but: {type(error).__name__}: {reason}") from error
