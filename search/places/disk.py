"""A folder on a disk of this machine, or on one that it shares."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.whole import write_whole

if TYPE_CHECKING:
    from trainables.packing import Packed
    from trainables.protocol import State


class Disk:
    """See `search.places.place.Place`.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def address(self) -> str:
        """Its path."""
        return str(self.path)

    def at(self, *parts: str) -> Disk:
        """A folder in it."""
        return Disk(self.path.joinpath(*parts))

    def save(self, name: str, state: State | Packed) -> None:
        """Written aside, synced, renamed."""
        from trainables import checkpoint

        checkpoint.save(self.path / name, state)

    def load(self, name: str) -> State | None:
        """A state, or none."""
        from trainables import checkpoint

        return checkpoint.load(self.path / name)

    def put(self, name: str, data: bytes) -> None:
        """Write bytes."""
        write_whole(self.path / name, lambda file: file.write(data))

    def get(self, name: str) -> bytes | None:
        """Those bytes, or none."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def files(self) -> dict[str, int]:
        """All files, with their sizes."""
        if self.path.is_file():
            return {"": self.path.stat().st_size}
        found = {}
        for path in self.path.rglob("*"):
            try:
                if path.is_file():
                    found[path.relative_to(self.path).as_posix()] = path.stat().st_size
            except OSError:  # gone meanwhile
                continue
        return found

    def remove(self, *names: str) -> None:
        """Remove files."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the folder."""
        if self.path.is_dir():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)
