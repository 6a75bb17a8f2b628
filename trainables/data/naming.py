"""The words that stand for data sets, told apart without importing anything heavy."""

from __future__ import annotations

import os
import re
from pathlib import Path

from spaces import InputError
from spaces.errors import did_you_mean, shown

BUILT_IN = {"digits": "trainables.data.digits:digits", "glyphs": "trainables.data.glyphs:glyphs"}
"""Name → where the function lives that makes the data set from the seed of its split, arrays and all."""

SOURCES = {"shapes": "trainables.data.sources.shapes:Shapes"}
"""Name → the class of the source; text after a colon goes to it (``shapes:50000``)."""

TABLES = (".csv", ".tsv", ".parquet")
"""How the names of manifests end."""

OWN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*(:.*)?", flags=re.DOTALL)
"""``package.module:attribute``, or ``package.module:attribute:text``."""


def is_path(name: str) -> bool:
    """Whether `name` is a file or folder that is there."""
    try:
        return bool(name) and Path(name).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, with a zero byte in it, or of no known user
        return False


def absolute(name: str) -> str:
    """A path that is there, from the root, so that a study goes on from any folder; other names as they are."""
    return os.path.abspath(Path(name).expanduser()) if name not in BUILT_IN and is_path(name) else name


def find_dataset(name: str) -> None:
    """Whether `name` can stand for a data set at all; nothing is imported or read.

    Raises:
        InputError: It cannot; what could is named.
    """
    word, colon, rest = name.partition(":")
    named = word in SOURCES or (word in ("torchvision", "hf") and rest)
    if not (name in BUILT_IN or named or is_path(name) or (colon and OWN.fullmatch(name))):
        raise InputError(unknown(name))


def unknown(name: str) -> str:
    """The sentence for a name that stands for nothing."""
    if not name:
        return "data must be named (--data FOLDER, where the folder holds one a class), but no name is given"
    names = (*BUILT_IN, *SOURCES)
    hub = f"; for the hub's, hf:{name}" if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else ""
    return (
        f"data must be one of {', '.join(names)}, a folder of class folders, a file that ends in "
        f"{', '.join(TABLES)} or .npz, torchvision:NAME, hf:ID, or a 'package.module:attribute' of your own, "
        f"but there is no {shown(name)}{hub or did_you_mean(name, names)}"
    )
