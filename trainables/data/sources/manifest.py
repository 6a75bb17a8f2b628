"""A table of paths and labels, as CSV, TSV or Parquet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from spaces import InputError
from spaces.errors import shown
from trainables.data.listing import Sample
from trainables.data.sources.names import split_called
from trainables.data.sources.source import Files

COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "filepath", "image", "image_path"),
    "label": ("label", "class", "class_name", "target", "category"),
    "split": ("split", "subset", "partition", "fold"),
    "group": ("group", "group_id", "patient", "patient_id", "subject"),
}
"""Column → names that it goes by, in any case of letters; ``path`` and ``label`` must be there."""


class Manifest(Files):
    """A table with a row an image: path, label, and where they matter a split and a group.

    Paths are relative to the table's folder, or absolute. A row may leave its split or group empty.

    Args:
        path: A file that ends in .csv, .tsv or .parquet.

    Raises:
        InputError: It cannot be read, lacks a column, or has a row without path or label.
    """

    def __init__(self, path: str | Path) -> None:
        self._table = Path(path).expanduser()
        self.root = self._table.parent
        table = self._read()
        found = {column: self._column(table, column) for column in COLUMNS}
        for column in ("path", "label"):
            if found[column] is None:
                raise InputError(
                    f"{self._table.name} must have a column {column!r}, but it has {', '.join(map(str, table.columns))}"
                )
        self._rows = pd.DataFrame(
            {column: table[name] if name is not None else "" for column, name in found.items()}
        )
        self._rows.index = table.index

    def samples(self) -> Iterator[Sample]:
        """A sample a row, in the table's order."""
        for number, row in enumerate(self._rows.itertuples(index=False), start=2):  # line 1 has the names
            path, label, split, group = (str(value).strip() for value in row)
            if not path or not label:
                missing = "path" if not path else "label"
                raise InputError(
                    f"{self._table.name}, row {number}: each row must have a {missing}, but it is empty"
                )
            named = split_called(split) if split else None
            if split and named is None:
                raise InputError(
                    f"{self._table.name}, row {number}: a split must be train, val or test, but got {shown(split)}"
                )
            yield Sample(path, label, named, group or None)

    def _read(self) -> pd.DataFrame:
        kind = self._table.suffix.lower()
        try:
            if kind == ".parquet":
                table = pd.read_parquet(self._table)
                return table.map(_as_text)
            separator = "\t" if kind == ".tsv" else None
            return pd.read_csv(
                self._table, dtype=str, keep_default_na=False, sep=separator or ",", encoding="utf-8-sig"
            )
        except OSError as error:
            raise InputError(
                f"data {os.fspath(self._table)!r} cannot be read: {error.strerror or error}"
            ) from None
        except Exception as error:  # of what is no table, the readers raise many kinds
            said = " ".join(str(error).split())
            raise InputError(f"{self._table.name} must be a {kind} table, but: {said}") from None

    def _column(self, table: pd.DataFrame, column: str) -> str | None:
        by_name = {str(name).strip().lower(): str(name) for name in table.columns}
        return next((by_name[name] for name in COLUMNS[column] if name in by_name), None)


def _as_text(value: object) -> str:
    """As people would write it: a label of 3.0 that once was 3 is 3."""
    if value is None or value != value:  # not a number
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
