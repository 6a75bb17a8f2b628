"""One recipe trained on several folds, one after the other, as a single trainable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from spaces import Params
from trainables.config import Fixed
from trainables.material import Material
from trainables.protocol import EpochRecord, State, Trainable
from trainables.seeds import derive_seed

Factory = Callable[[Params, Fixed, int, Any], Trainable]
"""Makes a trainable from params, constants, seed and material."""


def fold_seed(seed: int, fold: int) -> int:
    """Of a fold's training: the trial's own for the first, so that it is what it would be without folds."""
    return seed if fold == 0 else derive_seed(seed, "fold", fold) % 2**31


class Folded:
    """See `trainables.protocol.Trainable`. Fold `f`'s epochs are numbered from ``f · epochs + 1``.

    A fold whose recipe ends itself early has its last record at the fold's last number, so that each fold is
    over where a multiple of `epochs` stands.

    Args:
        factory: Makes the training of one fold.
        params: The recipe.
        fixed: The study's constants; `epochs` are those of one fold.
        seed: The trial's.
        material: With folds.
    """

    def __init__(self, factory: Factory, params: Params, fixed: Fixed, seed: int, material: Material) -> None:
        def make(fold: int) -> Trainable:
            return factory(params, fixed, fold_seed(seed, fold), material.fold(fold))

        self._make = make
        self._epochs, self._folds = fixed.epochs, len(material.folds)
        self._fold = 0
        self._finished: list[State] = []
        self._inner = self._make(0)
        self._over = False

    def epochs(self) -> Iterator[EpochRecord]:
        """Train what is left, fold after fold.

        Raises:
            Diverged: As the training of a fold does.
        """
        while self._fold < self._folds:
            if not self._over:
                for record in self._inner.epochs():
                    self._over = record.epoch >= self._epochs or bool(record.ended)
                    yield self._numbered(record)
            self._finished.append(_best_of(self._inner))
            self._fold += 1
            if self._fold < self._folds:
                self._inner, self._over = self._make(self._fold), False

    def _numbered(self, record: EpochRecord) -> EpochRecord:
        epoch = self._epochs if self._over else record.epoch
        metrics = {**record.metrics, "fold": float(self._fold + 1)}
        return replace(record, epoch=self._fold * self._epochs + epoch, metrics=metrics, ended="")

    def state_dict(self) -> State:
        """The fold that is being trained, and the best weights of all folds so far."""
        return {
            "fold": self._fold,
            "over": self._over,
            "inner": self._inner.state_dict(),
            "finished": self._finished,
            "best": {"folds": [*self._finished, _best_of(self._inner)]},
        }

    def load_state_dict(self, state: State) -> None:
        """Put back what `state_dict` gave."""
        self._fold, self._over = int(state["fold"]), bool(state["over"])
        self._finished = list(state["finished"])
        self._inner = self._make(self._fold)
        self._inner.load_state_dict(state["inner"])


def _best_of(trainable: Trainable) -> State:
    best: State = trainable.state_dict().get("best", {})
    return best
