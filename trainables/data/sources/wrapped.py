"""A data set that is in memory already, looked at as a source: so that it can be checked like any other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.dataset import Dataset, Images
from trainables.data.listing import SPLITS, Sample
from trainables.data.sources.source import Source


class Wrapped(Source):
    """The images of a `Dataset`, with its splits.

    Args:
        dataset: The data set.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.invariances = dataset.invariances

    def classes(self) -> Sequence[str]:
        """The data set's."""
        return self._dataset.classes

    def samples(self) -> Iterator[Sample]:
        """A sample an image; its key is ``split/row``."""
        for split in SPLITS:
            for row, label in enumerate(self._of(split).labels.tolist()):
                yield Sample(f"{split}/{row}", self._dataset.classes[label], split)

    def read(self, key: str) -> NDArray[Any]:
        """One image's pixels."""
        split, _, row = key.partition("/")
        images = self._of(split)
        place = int(row) if images.rows is None else int(images.rows[int(row)])
        return np.asarray(images.pixels[place])

    def _of(self, split: str) -> Images:
        images: Images = getattr(self._dataset, split)
        return images
