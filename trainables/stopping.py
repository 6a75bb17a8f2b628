"""When a recipe ends its training by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

from pydantic import Field

from trainables.parts import Part


class Stopping(Protocol):
    """A rule over the validation scores so far."""

    def ended(self, scores: Sequence[float]) -> str:
        """Why training ends after the epochs that gave `scores` (higher is better); empty to go on."""
        ...


class Never(Part):
    """The full budget, whatever happens."""

    def ended(self, scores: Sequence[float]) -> str:
        """Always go on."""
        return ""


class Patience(Part):
    """Early stopping.

    Args:
        epochs: How long no improvement is borne.
        improvement: What counts as one over the best score before it, at least 0.

    Source: Prechelt, "Early Stopping — But When?", 1998.
    """

    epochs: Annotated[int, Field(ge=1)] = 5
    improvement: Annotated[float, Field(ge=0)] = 0.001

    def ended(self, scores: Sequence[float]) -> str:
        """A reason once the last `epochs` scores have not improved on the best one before them."""
        best, at = -float("inf"), 0
        for epoch, score in enumerate(scores, 1):
            if score > best + self.improvement:
                best, at = score, epoch
            elif epoch - at >= self.epochs:
                return f"no improvement by {self.improvement:.2g} in {self.epochs} epochs"
        return ""
