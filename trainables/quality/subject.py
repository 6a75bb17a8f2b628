"""What is checked: a data set as its source lists it, and what is known of each of its images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.data.facts import Facts
from trainables.data.listing import Listing


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
