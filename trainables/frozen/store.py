"""Features that are computed once for all trials of a machine, in files that they share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from trainables.data.batches import as_tensor
from trainables.data.cache import cache_folder
from trainables.frozen.eviction import make_room

FOLDER = "features"
RELEASE = 1
"""To be raised when the same recipe, images and network give other features: when augmentation changes, say."""


class FeatureStore:
    """Files of features, by what they were made from.

    Args:
        made_from: All that decides what the features are: images, network, weights, arithmetic.
        folder: Where the files are; the user's cache folder if not given.
    """

    def __init__(self, made_from: tuple[object, ...], folder: Path | None = None) -> None:
        key = hashlib.blake2b(repr((RELEASE, made_from)).encode(), digest_size=12).hexdigest()
        self._folder = (folder or cache_folder() / FOLDER) / key

    def get(self, name: str, rows: int, compute: Callable[[], Iterable[Tensor]]) -> Tensor:
        """Features [rows, …], float32, mapped from the file; computed first by whoever needs them first.

        Others that need them meanwhile wait. A half-made file is never seen. Where none can be written they are in this
        process's memory.

        Args:
            name: Which images, and how they were changed.
            rows: How many there are.
            compute: Gives them in parts.
        """
        path = self._folder / f"{name}.npy"
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(path.with_suffix(".lock")):
                    if not path.exists():
                        _write(path, rows, iter(compute()))
                        make_room(self._folder.parent, keep=self._folder)
            found = _read(path, rows)
            with suppress(OSError):  # mapped in place of a disk that cannot be written
                os.utime(self._folder)
            return found
        except _Torn:  # by a power cut, say
            path.unlink(missing_ok=True)
            return self.get(name, rows, compute)
        except OSError:  # a full disk, or a folder of somebody else's: no fault of the trial's
            return torch.cat(list(compute()))


class _Torn(Exception):
    """A file is not what was written."""


def _read(path: Path, rows: int) -> Tensor:
    try:
        array = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise _Torn from error
    if len(array) != rows:
        raise _Torn
    return as_tensor(array)


def _write(path: Path, rows: int, parts: Iterator[Tensor]) -> None:
    """Write part after part, so that not all of it is in memory, and rename. The lock is held."""
    for left in path.parent.glob(f"{path.name}.*.tmp"):  # of one that was killed
        left.unlink(missing_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        first = next(parts)
        done = 0
        with aside.open("wb") as file:  # not through a mapping, where a full disk would kill the process
            shape = (rows, *first.shape[1:])
            header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for part in chain((first,), parts):
                file.write(part.numpy().tobytes())
                done += len(part)
            file.flush()
            os.fsync(file.fileno())
        if done != rows:
            raise ValueError(f"features of {rows} images must be computed, but got those of {done}")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def on(device: torch.device, features: Tensor) -> Tensor:
    """Where they are drawn from: on the device where they fit into an eighth of what is free, else where they are."""
    if device.type != "cuda":
        return features
    size = features.numel() * features.element_size()
    return features.to(device) if size <= torch.cuda.mem_get_info(device)[0] / 8 else features
