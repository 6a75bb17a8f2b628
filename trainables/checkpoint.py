"""Checkpoints that are whole or not there: written aside, synced, renamed."""

from __future__ import annotations

import errno
import os
import threading
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from trainables.packing import Packed, pack, unpack
from trainables.protocol import State

PACKED = "\0packed"
"""The key of a file's state whose small tensors are in a few large ones; older files have none."""


def save(path: Path, state: State | Packed) -> None:
    """Write a state so that a crash at any moment leaves the old file or the new one.

    Args:
        path: The file.
        state: What is written; as it was when it was packed, or as it is.

    Raises:
        OSError: The disk is full or the folder cannot be written; the old file is still whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with aside.open("wb") as file:
            packed = state if isinstance(state, Packed) else pack(state)
            patient: Any = _Patient(file)
            torch.save({PACKED: packed.marked, "tensors": packed.flat}, patient)
            if patient.fault is not None:
                raise patient.fault
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else a power cut may forget the new name
    finally:
        os.close(folder)


_NO_FILE = (None, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EINVAL)
"""What a system says of a file that is not there, or not whole."""


class _Patient:
    """A file that keeps its error for later. Torch's writer, told of a full disk, ends the whole process.

    Args:
        file: Where it writes.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.fault: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write, unless that has failed before."""
        if self.fault is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.fault = error
        return len(data)

    def flush(self) -> None:
        """See `write`."""
        if self.fault is None:
            try:
                self._file.flush()
            except OSError as error:
                self.fault = error


def load(path: Path) -> State | None:
    """The state at `path`, or none where there is no whole one. Never runs code from the file.

    Torch writes a checksum of each part and does not look at it when it reads: it would take weights
    with a flipped bit for good ones. So the checksums are verified here.

    Raises:
        OSError: It cannot be read for the moment.
    """
    try:
        with zipfile.ZipFile(path) as parts:
            if parts.testzip() is not None:
                return None
        state = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(state, dict) and PACKED in state:
            state = unpack(Packed(state[PACKED], state["tensors"]))
    except MemoryError:
        raise  # says nothing about the file
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise  # a disk that is away for the moment: what lies on it may be whole
    except Exception:  # of a file that is not whole, zipfile and torch raise a dozen kinds
        return None
    return state if isinstance(state, dict) else None
