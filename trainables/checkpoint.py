"""Checkpoints that are whole or not there: written aside, synced, renamed."""

from __future__ import annotations

import errno
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch

from trainables.packing import Packed, pack, unpack
from trainables.protocol import State
from trainables.whole import write_whole

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

    def write(file: BinaryIO) -> None:
        patient = _Patient(file)
        _write(patient, state)
        if patient.fault is not None:
            raise patient.fault

    write_whole(path, write)


def to_bytes(state: State | Packed) -> bytes:
    """What `save` would write, for places that are no disk."""
    file = BytesIO()
    _write(file, state)
    return file.getvalue()


def _write(file: Any, state: State | Packed) -> None:
    packed = state if isinstance(state, Packed) else pack(state)
    torch.save({PACKED: packed.marked, "tensors": packed.flat}, file)


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


def load(source: Path | bytes) -> State | None:
    """The state in a file, or none where there is no whole one. Never runs code from it.

    Torch writes a checksum of each part and does not look at it when it reads: it would take weights
    with a flipped bit for good ones. So the checksums are verified here.

    Args:
        source: The file, or what is in it.

    Raises:
        OSError: It cannot be read for the moment.
    """
    try:
        with zipfile.ZipFile(_opened(source)) as parts:
            if parts.testzip() is not None:
                return None
        state = torch.load(_opened(source), map_location="cpu", weights_only=True)
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


def _opened(source: Path | bytes) -> Path | BytesIO:
    return BytesIO(source) if isinstance(source, bytes) else source
