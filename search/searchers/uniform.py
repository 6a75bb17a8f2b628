"""Recipes drawn at random."""

from __future__ import annotations

import random

from search.decisions.history import History
from spaces import Params, random_suggest
from trainables.seeds import derive_seed


class Uniform:
    """Draws each recipe independently, uniformly over every parameter's range.

    Args:
        seed: Of the draws; each recipe follows from it and from its trial's number alone.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def propose(self, history: History, number: int) -> Params:
        """A recipe."""
        return history.space.draw(random_suggest(random.Random(derive_seed(self._seed, "draw", number))))
