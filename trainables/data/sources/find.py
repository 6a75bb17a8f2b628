"""The source that a user's word stands for."""

from __future__ import annotations

import os
from pathlib import Path

from spaces import InputError, locate
from trainables.data.naming import OWN, SOURCES, TABLES, is_path
from trainables.data.sources.source import Source


def find_source(name: str) -> Source | None:
    """The source that `name` stands for; none where it is not of a source's form.

    Args:
        name: ``shapes``; a folder; a .csv, .tsv, .parquet or .npz file; ``torchvision:NAME``; ``hf:ID``;
            or a class of the user's own, ``package.module:Class`` or ``package.module:Class:text``.

    Raises:
        InputError: It is of a source's form, but there is no such source.
    """
    word, _, rest = name.partition(":")
    if word in SOURCES:
        return _made(SOURCES[word], rest)
    if word == "torchvision" and rest:
        from trainables.data.sources.vision import Vision

        return Vision(rest)
    if word == "hf" and rest:
        from trainables.data.sources.hub import Hub

        return Hub(rest)
    if is_path(name):
        return _at(Path(name).expanduser())
    if OWN.fullmatch(name):
        module, attribute, *argument = name.split(":", 2)
        return _made(f"{module}:{attribute}", argument[0] if argument else "", maybe=not argument)
    return None


def _at(path: Path) -> Source:
    if path.is_dir():
        from trainables.data.sources.hub import MARKS

        if any((path / mark).is_file() for mark in MARKS) or _holds_tables(path):
            from trainables.data.sources.hub import Hub

            return Hub(os.fspath(path))
        from trainables.data.sources.folder import Folder

        return Folder(path)
    suffix = path.suffix.lower()
    if suffix in TABLES:
        from trainables.data.sources.manifest import Manifest

        return Manifest(path)
    if suffix == ".npz":
        from trainables.data.sources.arrays import ArrayFile

        return ArrayFile(path)
    raise InputError(
        f"data must be a folder or a file that ends in {', '.join(TABLES)} or .npz, but got {os.fspath(path)!r}"
    )


def _holds_tables(folder: Path) -> bool:
    """A folder of Parquet files, as the hub stores data sets."""
    return any(True for _ in folder.glob("*.parquet")) or any(True for _ in folder.glob("data/*.parquet"))


def _made(place: str, argument: str, maybe: bool = False) -> Source | None:
    kind = locate(place)
    if isinstance(kind, Source):
        return kind
    if not (isinstance(kind, type) and issubclass(kind, Source)):
        if maybe:
            return None  # a function that makes a Dataset, perhaps
        raise InputError(f"data {place!r} must be a Source, but is a {type(kind).__name__}")
    try:
        made: Source = kind(*([argument] if argument else []))
    except InputError:
        raise
    except Exception as error:  # the class is the user's
        raise InputError(f"data {place!r} cannot be made: {type(error).__name__}: {error}") from error
    return made
