"""Keeps on the disk what MLflow would not take, until it does."""

from collections.abc import Sequence
from pathlib import Path

from search.tracking.patch import RunPatch


class Spool:
    """A file of patches, one JSON object a line. Appending is all that a long outage costs.

    Args:
        path: The file; it exists only while something is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> list[RunPatch]:
        """The patches kept, oldest first; a line torn by a kill is left out, for the ledger has it all."""
        patches = []
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                try:
                    patches.append(RunPatch.from_json(line))
                except ValueError:
                    continue
        return patches

    def append(self, patches: Sequence[RunPatch]) -> None:
        """Adds patches.

        Raises:
            OSError: If the disk is full, say.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            # A line that a kill has torn must not swallow the next one.
            stream.writelines(f"\n{patch.to_json()}\n" for patch in patches)

    def keep(self, patches: Sequence[RunPatch]) -> None:
        """Keeps just these; without any, removes the file."""
        self.path.unlink(missing_ok=True)
        if patches:
            self.append(patches)
