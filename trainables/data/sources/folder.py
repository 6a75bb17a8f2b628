"""A folder of class folders, with or without train, val and test folders above them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from spaces import InputError
from trainables.data.listing import Sample
from trainables.data.sources.names import split_called
from trainables.data.sources.source import Files


class Folder(Files):
    """Images by the folders that they lie in: ``cats/1.jpg``, or ``train/cats/1.jpg``.

    What lies deeper than a class's folder belongs to that class. Hidden files and folders, and files whose
    names end in nothing that Pillow or NumPy reads, are passed over; links are followed.

    Args:
        root: The folder.

    Raises:
        InputError: There is no such folder, or there are no class folders with images in it.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise InputError(
                f"data must be a folder that is there, but there is no folder {os.fspath(root)!r}"
            )
        self._suffixes = image_suffixes()
        names = _folders(self.root)
        self._split_of = {name: split_called(name) for name in names}
        given = set(self._split_of.values())
        if not names or None in given or "train" not in given:
            self._split_of = {}  # ordinary class folders, though one of them may be called "test"

    def samples(self) -> Iterator[Sample]:
        """A sample a file, sorted by path.

        Raises:
            InputError: There is no image in any folder of a class.
        """
        try:
            yield from self._found()
        except OSError as error:  # else a class that may not be read would silently be no class
            raise InputError(f"{error.filename} must be readable, but: {error.strerror}") from None

    def _found(self) -> Iterator[Sample]:
        found = False
        for top in sorted(self._split_of) or [""]:
            base = self.root / top
            for name in _folders(base):
                for path in self._images(base / name):
                    found = True
                    key = os.path.relpath(path, self.root).replace(os.sep, "/")
                    yield Sample(key, name, self._split_of.get(top))
        if not found:
            raise InputError(self._nothing())

    def _images(self, folder: Path) -> Iterator[str]:
        """Paths of all images below `folder`, sorted; a folder that a link leads back to is seen once."""
        seen: set[tuple[int, int]] = set()
        for where, below, files in os.walk(folder, followlinks=True, onerror=_refuse):
            here = os.stat(where)
            if (here.st_dev, here.st_ino) in seen:
                below.clear()
                continue
            seen.add((here.st_dev, here.st_ino))
            below[:] = sorted(name for name in below if not name.startswith((".", "__MACOSX")))
            for name in sorted(files):
                if not name.startswith(".") and os.path.splitext(name)[1].lower() in self._suffixes:
                    yield os.path.join(where, name)

    def _nothing(self) -> str:
        loose = any(path.suffix.lower() in self._suffixes for path in self.root.iterdir() if path.is_file())
        but = "its images lie in no folder of a class" if loose else "there are no images in it"
        return (
            f"{os.fspath(self.root)!r} must hold a folder a class with images in it (cats/1.jpg, or "
            f"train/cats/1.jpg), but {but}"
        )


def _refuse(error: OSError) -> None:
    raise error


def image_suffixes() -> frozenset[str]:
    """How names of images end, in lower case: all that Pillow reads, and ``.npy``."""
    readable = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    return frozenset((readable - {".pdf", ".mpg", ".mpeg", ".h5", ".hdf"}) | {".npy"})


def _folders(folder: Path) -> list[str]:
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith((".", "__MACOSX"))
    )
