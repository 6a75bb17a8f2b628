"""What was seen of a training on the test split, small enough to be kept in the ledger."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass

from search.answer.hits import Hits
from trainables.soundness.soundness import Soundness


@dataclass(frozen=True)
class Measured:
    """One training.

    Args:
        hits: Which images it is right on.
        soundness: How good it is beyond that; none where that cannot be said.
    """

    hits: Hits
    soundness: Soundness | None = None


def packed(soundness: Soundness) -> str:
    """As the ledger has it: a thousand classes in some ten kilobytes."""
    return base64.b64encode(zlib.compress(json.dumps(soundness.to_dict()).encode(), 9)).decode()


def unpacked(noted: str) -> Soundness:
    """What `packed` gave."""
    return Soundness.from_dict(json.loads(zlib.decompress(base64.b64decode(noted))))
