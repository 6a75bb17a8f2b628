"""A folder at a URL: an object store, or whatever else fsspec knows."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from search.addresses import without_secret
from spaces.errors import InputError, shown

if TYPE_CHECKING:
    from trainables.packing import Packed
    from trainables.protocol import State

WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "memory"})
"""Stores that show an object only once all of it is there."""
RENAMED = frozenset({"file", "local", "sftp", "ssh"})
"""Where a file is written aside, and a rename puts it in the place of an older one."""


class Bucket:
    """See `search.places.place.Place`.

    Args:
        url: Its address. What it needs to be opened, a key or an endpoint, is taken from the environment.

    Raises:
        InputError: It is none of a store that keeps files whole, or its package is not installed.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        self._url = url.rstrip("/")
        try:
            # Others write there too: what a listing said a moment ago is old.
            self._fs, self._root = fsspec.core.url_to_fs(self._url, use_listings_cache=False)
            protocols = self._fs.protocol
            self._protocols = {protocols} if isinstance(protocols, str) else set(protocols)
            why = "" if self._protocols & (WHOLE | RENAMED) else "a file might be left half written there"
        except (ImportError, ValueError) as error:
            why = str(error)
        if why:
            raise InputError(
                "checkpoints must be at a path, in an object store (s3://, gs://, az://, …) or at sftp://, but got "
                f"{shown(without_secret(url))}: {why}"
            )

    @property
    def address(self) -> str:
        """Its URL."""
        return self._url

    def at(self, *parts: str) -> Bucket:
        """A folder in it."""
        return Bucket("/".join([self._url, *parts]))

    def save(self, name: str, state: State | Packed) -> None:
        """Write a state."""
        from trainables import checkpoint

        self.put(name, checkpoint.to_bytes(state))

    def load(self, name: str) -> State | None:
        """A state, or none."""
        from trainables import checkpoint

        data = self.get(name)
        return None if data is None else checkpoint.load(data)

    def files(self) -> dict[str, int]:
        """All files, with their sizes."""
        with _as_os_error():
            try:
                found: dict[str, Any] = self._fs.find(self._root, detail=True)
            except FileNotFoundError:
                return {}
        return {posixpath.relpath(path, self._root): int(told["size"] or 0) for path, told in found.items()}

    def remove(self, *names: str) -> None:
        """Remove files."""
        for name in names:
            self._take_away(partial(self._fs.rm_file, self._file(name)))

    def clear(self) -> None:
        """Remove all of it."""
        self._take_away(partial(self._fs.rm, self._root, recursive=True))

    def _take_away(self, act: Callable[[], None]) -> None:
        with _as_os_error(), suppress(FileNotFoundError):
            act()

    def _file(self, name: str) -> str:
        return f"{self._root}/{name}"

    def get(self, name: str) -> bytes | None:
        """Those bytes, or none."""
        with _as_os_error():
            try:
                data: bytes = self._fs.cat_file(self._file(name))
            except FileNotFoundError:
                return None
        return data

    def put(self, name: str, data: bytes) -> None:
        """Write bytes."""
        path = self._file(name)
        with _as_os_error():
            if self._protocols & WHOLE:
                self._fs.pipe_file(path, data)
                return
            self._fs.makedirs(posixpath.dirname(path), exist_ok=True)
            aside = f"{path}.{uuid4().hex}.tmp"
            try:
                self._fs.pipe_file(aside, data)
                self._fs.mv(aside, path)
            except BaseException:
                with suppress(Exception):
                    self._fs.rm_file(aside)
                raise


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Each store's package has errors of its own; who asks wants to know that it is not there, or away."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
