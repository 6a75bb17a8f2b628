"""A table of paths and labels, as CSV, TSV or Parquet."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

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
        by_name = {name.strip().lower(): name for name in table}
        found = {
            column: next((by_name[name] for name in names if name in by_name), None)
            for column, names in COLUMNS.items()
        }
        for column in ("path", "label"):
            if found[column] is None:
                raise InputError(
                    f"{self._table.name} must have a column {column!r}, but it has {', '.join(table)}"
                )
        length = len(next(iter(table.values())))
        self._columns = [table[name] if name is not None else [""] * length for name in found.values()]

    def samples(self) -> Iterator[Sample]:
        """A sample a row, in the table's order.

        Raises:
            InputError: A row without path or label, or with another split than there are.
        """
        for number, row in enumerate(zip(*self._columns, strict=True), start=2):  # line 1 has the names
            path, label, split, group = (value.strip() for value in row)
            where = f"{self._table.name}, row {number}"
            if not path or not label:
                raise InputError(f"{where}: each row must have a path and a label, but one of them is empty")
            named = split_called(split) if split else None
            if split and named is None:
                raise InputError(f"{where}: a split must be train, val or test, but got {shown(split)}")
            yield Sample(path, label, named, group or None)

    def _read(self) -> dict[str, list[str]]:
        """Column → values as text."""
        try:
            if self._table.suffix.lower() == ".parquet":
                return _read_parquet(self._table)
            return _read_csv(self._table)
        except InputError:
            raise
        except OSError as error:
            raise InputError(
                f"data {os.fspath(self._table)!r} cannot be read: {error.strerror or error}"
            ) from None
        except Exception as error:  # of what is no table, the readers raise many kinds
            said = " ".join(str(error).split())
            raise InputError(f"{self._table.name} must be a table of its kind, but: {said}") from None


def _read_csv(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        header = next(reader, [])
        columns: list[list[str]] = [[] for _ in header]
        for row in reader:
            if not row:
                continue  # an empty line
            if len(row) != len(header):
                raise InputError(
                    f"{path.name}, line {reader.line_num}: each row must have {len(header)} values, but has {len(row)}"
                )
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    return dict(zip(header, columns, strict=True))


def _read_parquet(path: Path) -> dict[str, list[str]]:
    from pyarrow import parquet

    table = parquet.read_table(path)
    return {name: [_as_text(value) for value in table[name].to_pylist()] for name in table.column_names}


def _as_text(value: object) -> str:
    """As people would write it: a label of 3.0 that once was 3 is 3."""
    if value is None or value != value:  # not a number
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
