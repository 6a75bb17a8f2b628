"""All of a study that a cluster needs and may not have, in one folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from search.spec import StudySpec
from spaces import InputError
from spaces.load import preset_names
from trainables.data.naming import BUILT_IN

STEM = "study"
"""Of the names of all files but the modules."""
MOST = 90 * 2**20
"""Bytes of all that is sent; Ray's dashboard takes 100 MiB."""
TABLES = {".csv", ".parquet"}


@contextmanager
def bundled(spec: StudySpec, modules: Sequence[Path] = ()) -> Iterator[Path]:
    """A folder with the study file, and what it names of this machine's files: space, weights, data.

    A name that is no file here stays as it is: it may be one there.

    Args:
        spec: The study.
        modules: Files and folders of Python code that it needs.

    Raises:
        InputError: They are too large to be sent.
    """
    settings = {"name": spec.name, **spec.model_dump(mode="json", exclude_defaults=True)}
    settings.pop("ray_address", None)
    with TemporaryDirectory(prefix="finetune-search-") as made:
        folder = Path(made)
        for module in modules:
            (folder / module.name).symlink_to(module)
        for key in ("space", "pretrained"):
            if (source := _file(settings.get(key))) is not None:
                settings[key] = f"{STEM}-{key}{source.suffix}"
                shutil.copyfile(source, folder / settings[key])
        data = None if spec.data in BUILT_IN else _there(spec.data)
        if data is not None:
            # A table names its images from the folder that it is in.
            whole = data.parent if data.is_file() and data.suffix.lower() in TABLES else data
            there = f"{STEM}-data{whole.suffix if whole.is_file() else ''}"
            (folder / there).symlink_to(whole)
            settings["data"] = there if whole == data else f"{there}/{data.name}"
        (folder / f"{STEM}.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))
        _refuse_too_large(folder)
        yield folder


def _there(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        return path.resolve() if path.exists() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _file(value: object) -> Path | None:
    if not isinstance(value, str) or value in preset_names():
        return None
    path = _there(value)
    return path if path is not None and path.is_file() else None


def _refuse_too_large(folder: Path) -> None:
    size = 0
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]  # they are not sent
        size += sum(os.path.getsize(os.path.join(place, name)) for name in files if not name.startswith("."))
        if size > MOST:
            raise InputError(
                f"data, weights and code that are sent with a study must be at most {MOST // 2**20} MiB, but are "
                "more; put them where the machines of the cluster find them, and name that path, or an `hf:` data set"
            )
