"""What older stores of the same source have decoded already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.decoding import Row
from trainables.data.facts import Facts
from trainables.data.preprocessing import Preprocessing
from trainables.data.store.layout import MISSING, PARTS, Layout, parts_of, picture_bytes, read_json, rows_of


@dataclass(frozen=True)
class Older:
    """Pictures and facts of the newest whole store, by the digest of the images' bytes.

    Args:
        facts: Of all its images; none where there is no store.
        rows: Digest → (image, its part's file, its row there).
        files: Part → its pictures.
    """

    facts: Facts | None
    rows: dict[str, tuple[int, str, int]]
    files: dict[str, NDArray[np.uint8]]

    def __bool__(self) -> bool:
        return bool(self.rows)

    @classmethod
    def of(cls, layout: Layout, preprocessing: Preprocessing) -> Older:
        """What the family has; nothing where its newest store cannot be read."""
        for folder in layout.stores()[:1]:
            try:
                return cls._read(folder, preprocessing)
            except (OSError, ValueError, KeyError):
                break
        return cls(None, {}, {})

    @classmethod
    def _read(cls, folder: Path, preprocessing: Preprocessing) -> Older:
        index = read_json(folder / "store.json") or {}
        counts = index.get("images")
        splits = np.load(folder / "splits.npy", allow_pickle=False)
        facts = Facts.load(folder / "facts.npz")
        if not isinstance(counts, dict) or len(splits) != len(facts):
            raise ValueError("the index does not fit the facts")
        side, size = preprocessing.side, picture_bytes(preprocessing)
        files: dict[str, NDArray[np.uint8]] = {}
        for part, images in counts.items():
            path = folder / f"{part}.u8"
            if path.stat().st_size != images * size:
                raise ValueError(f"{path} has another length than its index says")
            files[part] = np.memmap(path, np.uint8, "r", shape=(images, side, side, preprocessing.channels))
        places = zip(facts.digest.tolist(), parts_of(splits).tolist(), rows_of(splits).tolist(), strict=True)
        rows = {found: (image, PARTS[part], row) for image, (found, part, row) in enumerate(places)}
        rows.pop(MISSING, None)
        return cls(facts, rows, files)

    def find(self, digest: str) -> tuple[NDArray[np.uint8] | None, Row] | None:
        """Pixels and facts as `decode` gave them, of bytes that it has seen."""
        if self.facts is None or digest not in self.rows:
            return None
        image, part, row = self.rows[digest]
        facts: Row = self.facts.row(image)
        return (None if facts["fault"] else self.files[part][row]), facts
