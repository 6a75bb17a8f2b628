"""What was found of the winner's network, as a value that is kept beside its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trainables.soundness.figures import Flatness, Robustness
from trainables.soundness.soundness import Soundness

FILE = "inspection.json"
"""Among a study's checkpoints."""

FORMAT = 1
"""Raised where an older version of the project could not read it: then the winner is inspected anew."""


@dataclass(frozen=True)
class Alike:
    """A training image that looks like another one to the network.

    Args:
        name: What people call it.
        label: Its class, by number.
        similarity: Cosine of the angle between what the classifier is given for both, in [-1, 1].
        picture: Itself, small, as a ``data:`` address.
    """

    name: str
    label: int
    similarity: float
    picture: str


@dataclass(frozen=True)
class Miss:
    """A validation image that the network is wrong about.

    Args:
        name: What people call it.
        true: Its class, by number.
        guessed: The class that it was given.
        confidence: The probability of that one, in [0, 1], as the network gives it.
        picture: Itself, small, as a ``data:`` address.
        alike: Training images, the most alike first.
    """

    name: str
    true: int
    guessed: int
    confidence: float
    picture: str
    alike: Sequence[Alike] = ()


@dataclass(frozen=True)
class Inspection:
    """One network, on the images that it was validated on.

    Args:
        study: The study's own name for itself, which a later one of its name does not share.
        trial: Whose network it is.
        epoch: After which its weights were best.
        judged_by: What its validation images are, in words.
        soundness: On them.
        misses: The surest mistakes, the surest first.
        known: Training images among which those were looked for.
        robustness: On spoilt images; none where they cannot be spoilt, see `unspoilt`.
        unspoilt: Why not.
        flatness: Of the loss about the weights, over some training images; none where it was not asked for.
        made: When.
        format: See `FORMAT`.
    """

    study: str
    trial: int
    epoch: int
    judged_by: str
    soundness: Soundness
    misses: Sequence[Miss] = ()
    known: int = 0
    robustness: Robustness | None = None
    unspoilt: str = ""
    flatness: Flatness | None = None
    made: str = ""
    format: int = FORMAT

    def to_dict(self) -> dict[str, Any]:
        """As plain data that JSON can carry."""
        return asdict(self)

    def written(self) -> bytes:
        """As it is kept."""
        return json.dumps(self.to_dict()).encode()

    @classmethod
    def read(cls, data: bytes) -> Inspection | None:
        """What `written` gave; none of another format."""
        try:
            found = json.loads(data)
            return TypeAdapter(cls).validate_python(found) if found["format"] == FORMAT else None
        except (ValueError, KeyError, TypeError, ValidationError):
            return None
