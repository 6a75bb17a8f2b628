"""Learning curves in a file: what a study's trials gave, for rehearsing other searches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.simulation.curves import Task, task_from
from spaces import InputError, Params, SearchSpace, space_from_dict
from spaces.errors import shown

BUILT_IN = Path(__file__).parent / "recorded"
"""Tables that come with the project."""

FORMAT = b"finetune-search curves"
"""The key of a file's own description: name, space, version."""
VERSION = 1
ALIKE = 5
"""Full trainings that say how one that was stopped would have gone on."""


@dataclass(frozen=True)
class Table:
    """Trainings of some recipes of a space.

    Args:
        name: What was trained.
        space: What the recipes are drawn from.
        recipes: One a training.
        scores: Of each epoch: shape (trainings, epochs). NaN where there is none: after the end of a training
            that was stopped, and from where one had diverged.
        seconds: Of an epoch of each training: shape (trainings,).
        diverged: Which trainings have diverged: shape (trainings,).
    """

    name: str
    space: SearchSpace
    recipes: Sequence[Params]
    scores: NDArray[np.float64]
    seconds: NDArray[np.float64]
    diverged: NDArray[np.bool_]

    @property
    def epochs(self) -> int:
        """Of a full training."""
        return int(self.scores.shape[1])

    def task(self) -> Task:
        """As something to search. Trainings that were stopped are completed by `completed`.

        Raises:
            InputError: Fewer than two trainings have their full length.
        """
        scores = completed(self.scores, self.diverged)
        return task_from(self.name, self.space, self.recipes, scores, self.seconds)


def completed(scores: NDArray[np.float64], diverged: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Curves that were stopped, each continued by the mean course of the full ones that stood where it stopped.

    A training that ended before its time by its own rule, the first of several folds, stays where it ended.

    Args:
        scores: See `Table`.
        diverged: Whose curves end for good.

    Raises:
        InputError: There are fewer than two full ones.
    """
    scores = _bridged(scores)
    full = scores[~np.isnan(scores[:, -1])]
    if len(full) < 2:
        raise InputError(f"curves need at least two trainings of full length, but got {len(full)}")
    whole = scores.copy()
    for row, curve in enumerate(scores):
        known = int((~np.isnan(curve)).sum())
        if known == len(curve) or diverged[row] or not known:
            continue
        alike = np.argsort(np.abs(full[:, known - 1] - curve[known - 1]), kind="stable")[:ALIKE]
        course = full[alike] - full[alike, known - 1 : known]
        whole[row, known:] = curve[known - 1] + course[:, known:].mean(axis=0)
    return whole


def _bridged(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Curves whose gaps are filled with what was there before."""
    epochs = np.arange(scores.shape[1])
    known = ~np.isnan(scores)
    before = np.maximum.accumulate(np.where(known, epochs, 0), axis=1)
    last = np.where(known, epochs, -1).max(axis=1, keepdims=True)
    return np.where(epochs < last, np.take_along_axis(scores, before, axis=1), scores)


def write_table(table: Table, path: Path) -> None:
    """Write a Parquet file with a row a training: its recipe as JSON, seconds, scores.

    Raises:
        InputError: The file is there already, or cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    columns: dict[str, Any] = {
        "recipe": [json.dumps(dict(recipe)) for recipe in table.recipes],
        "diverged": table.diverged,
        "seconds": table.seconds.astype(np.float32),
    }
    for epoch in range(table.epochs):
        columns[f"epoch_{epoch + 1}"] = table.scores[:, epoch].astype(np.float32)
    about = {"version": VERSION, "name": table.name, "space": table.space.to_dict()}
    made = pyarrow.table(columns).replace_schema_metadata({FORMAT: json.dumps(about).encode()})
    if path.exists() or path.is_symlink():
        raise InputError(f"the table must be a new file, but {path} exists")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(made, path, compression="zstd")
    except OSError as error:
        raise InputError(f"the table must be writable, but {path}: {error.strerror or error}") from None


def read_table(path: Path) -> Table:
    """The inverse of `write_table`.

    Raises:
        InputError: The file is not there, or is no such table.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        made = parquet.read_table(path)
        about = json.loads((made.schema.metadata or {})[FORMAT])
        if about["version"] != VERSION:
            raise InputError(
                f"{path.name}: tables of version {VERSION} are read, but got {about['version']!r}"
            )
        space = space_from_dict(about["space"])
        recipes = [json.loads(text) for text in made["recipe"].to_pylist()]
        epochs = sum(name.startswith("epoch_") for name in made.column_names)
        scores = np.column_stack([made[f"epoch_{epoch + 1}"].to_numpy() for epoch in range(epochs)])
        for recipe in recipes:
            space.check(recipe)
        return Table(
            str(about["name"]),
            space,
            recipes,
            scores.astype(np.float64),
            made["seconds"].to_numpy().astype(np.float64),
            np.array(made["diverged"].to_pylist(), dtype=bool),
        )
    except FileNotFoundError:
        raise InputError(
            f"a table of curves must be a file that exists, but got {shown(str(path))}"
        ) from None
    except (OSError, KeyError, TypeError, ValueError, pyarrow.ArrowException) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path.name} must be a table that `finetune-search record` wrote, but it is none ({error})"
        ) from None


def built_in_tables() -> tuple[str, ...]:
    """Names of the tables that come with the project."""
    return tuple(sorted(path.stem for path in BUILT_IN.glob("*.parquet")))


def load_table(name_or_path: str) -> Table:
    """A built-in table, or one from a .parquet file.

    Raises:
        InputError: There is none.
    """
    path = Path(name_or_path)
    if path.suffix.lower() == ".parquet":
        return read_table(path)
    if name_or_path not in built_in_tables():
        names = ", ".join(built_in_tables())
        raise InputError(f"curves must be one of {names} or a .parquet file, but got {shown(name_or_path)}")
    return read_table(BUILT_IN / f"{name_or_path}.parquet")
