"""What is checked: a data set as its source lists it, and what is known of each of its images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainables.data.duplicates import exact_groups, near_groups
from trainables.data.facts import Facts
from trainables.data.listing import Listing
from trainables.data.splits import joined


@dataclass(frozen=True)
class Subject:
    """A data set under examination.

    Args:
        name: As the user called it.
        listing: Its N images with classes, splits and groups.
        facts: What reading each has shown, in the same order.
        picture: Row of the listing → the stored picture [H, W, C], uint8; of readable images only.
        features: Of a pretrained network for each image, [N, F], float32, not a number in the rows of
            images that cannot be read; none where no network is given.
    """

    name: str
    listing: Listing
    facts: Facts
    picture: Callable[[int], NDArray[np.uint8]]
    features: NDArray[np.float32] | None = None

    @cached_property
    def readable(self) -> NDArray[np.int64]:
        """Rows of the images that can be used."""
        return np.flatnonzero(self.facts.readable)

    @cached_property
    def same_bytes(self) -> NDArray[np.int64]:
        """Number of each image's group of the same bytes, [N]."""
        digests = np.where(self.facts.readable, self.facts.digest, "")
        return exact_groups(digests)

    @cached_property
    def copies(self) -> NDArray[np.int64]:
        """Number of each image's group of near-duplicates, [N]; the same bytes are in one group too."""
        sides = np.minimum(self.facts.width, self.facts.height)
        near = near_groups(self.facts.phash, self.picture, self.readable, sides=sides)
        return joined(near, np.where(self.facts.readable, self.same_bytes, -1))

    @cached_property
    def learnt(self) -> NDArray[np.bool_]:
        """Readable images that a training learns from, or that the project would split, [N]."""
        return np.asarray(self.facts.readable & (self.listing.splits <= 0))
