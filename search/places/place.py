"""A folder of checkpoints, wherever it is: on a disk, or at any address that fsspec knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trainables.packing import Packed
    from trainables.protocol import State


class Folder(Protocol):
    """A trial's checkpoints, as the trial needs them: whole or not there, whatever dies meanwhile."""

    @property
    def address(self) -> str:
        """Its path, or its URL."""

    def save(self, name: str, state: State | Packed) -> None:
        """Write a state.

        Args:
            name: The file.
            state: See `trainables.checkpoint.save`.

        Raises:
            OSError: It cannot be written; an older file is still whole.
        """

    def load(self, name: str) -> State | None:
        """A state, or none where there is no whole one. Never runs code from the file.

        Raises:
            OSError: It cannot be read for the moment.
        """


class Place(Folder, Protocol):
    """The same for those who look after them."""

    def at(self, *parts: str) -> Place:
        """A folder in it; nothing is made before something is written there."""

    def put(self, name: str, data: bytes) -> None:
        """Write bytes. For errors see `save`."""

    def get(self, name: str) -> bytes | None:
        """What `put` wrote, or none. For errors see `load`."""

    def files(self) -> dict[str, int]:
        """All files in it and in its folders, as names with `/` from here; their sizes, bytes."""

    def remove(self, *names: str) -> None:
        """Remove files; those that are not there are gone already.

        Raises:
            OSError: One may not be removed.
        """

    def clear(self) -> None:
        """Remove all of it. For errors see `remove`."""


def place_at(address: str) -> Place:
    """The folder at a path, or at a URL (``s3://bucket/studies``).

    Raises:
        InputError: It is none of a store that keeps files whole, or its package is not installed.
    """
    from search.places.disk import Disk

    if "://" in address and not address.startswith("file://"):
        from search.places.bucket import Bucket

        return Bucket(address)
    return Disk(address.removeprefix("file://"))
