"""What a source of images is: what it lists, and how one of them is read."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainables.data.decoding import Raw
from trainables.data.invariances import Invariances
from trainables.data.listing import Sample


class Source(ABC):
    """A set of labelled images. To add one of your own, write `samples` and `read`.

    A user names it ``package.module:Class`` (made without arguments) or ``package.module:Class:text``
    (made with the text). `read` is called from several threads at once.
    """

    invariances: Invariances = Invariances()
    """Which changes of its images keep their labels true."""

    @abstractmethod
    def samples(self) -> Iterator[Sample]:
        """All images, in an order that is the same each time, none of them decoded."""

    @abstractmethod
    def read(self, key: str) -> Raw:
        """One image: a file's bytes as they are, a Pillow image, or an array of numbers [H, W] or [H, W, C].

        Raises:
            OSError: It is not there or cannot be read; it counts as unreadable.
        """

    def classes(self) -> Sequence[str] | None:
        """Names of the classes where they have an order of their own; none sorts what the samples name."""
        return None

    def stamp(self, key: str) -> str | None:
        """Something cheap that changes when the image does; none if only reading it can tell."""
        return None


class Files(Source):
    """A source whose images are files below one folder; keys are paths relative to it."""

    root: Path

    def read(self, key: str) -> bytes:
        """The file's bytes."""
        return (self.root / key).read_bytes()

    def stamp(self, key: str) -> str | None:
        """Size and times: ctime too, since a copying tool can put the old time on new contents."""
        try:
            seen = os.stat(self.root / key)
        except OSError:
            return "missing"
        return f"{seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns}"
