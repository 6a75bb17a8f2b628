"""Which images of the test split a training is right on, small enough to be kept in the ledger."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Hits:
    """What a training gets right.

    Args:
        counts: A byte an image, in the test split's order: how many of the training's networks are right on it.
        networks: How many it has: one, or one a fold.
    """

    counts: bytes
    networks: int = 1

    @classmethod
    def of(cls, right: Sequence[bytes]) -> Hits:
        """Those of several networks, each a byte (0 or 1) an image."""
        return cls(bytes(map(sum, zip(*right, strict=True))), len(right))

    @property
    def accuracy(self) -> float:
        """In [0, 1]; of several networks the mean."""
        return sum(self.counts) / (len(self.counts) * self.networks)

    @property
    def shares(self) -> NDArray[Any]:
        """[images], each in [0, 1]: the share of the networks that are right."""
        import numpy as np

        return np.frombuffer(self.counts, np.uint8) / self.networks

    def noted(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"networks": self.networks, "right": base64.b64encode(zlib.compress(self.counts)).decode()}

    @classmethod
    def from_noted(cls, noted: dict[str, Any]) -> Hits:
        """What `noted` gave."""
        return cls(zlib.decompress(base64.b64decode(noted["right"])), noted["networks"])
