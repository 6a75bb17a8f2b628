"""What a trial is worth, from the scores of its epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FOLD_EPOCHS = "fold_epochs"
"""The user attribute that holds how many epochs a fold has, of a trial that trains several."""


def trial_score(scores: Mapping[int, float], fold_epochs: int | None = None) -> float:
    """The best epoch's score; of a trial with folds the mean over those begun of each one's best.

    Args:
        scores: Epoch, from 1 → score; folds follow each other.
        fold_epochs: Epochs of a fold; none where there is but one training.

    Returns:
        Minus infinity where there is no score yet.
    """
    best: dict[int, float] = {}
    for epoch, score in scores.items():
        fold = (epoch - 1) // fold_epochs if fold_epochs else 0
        best[fold] = max(best.get(fold, -math.inf), score)
    return sum(best.values()) / len(best) if best else -math.inf


def score_of(trial: FrozenTrial) -> float | None:
    """The score that a trial of the ledger has so far; none before its first record."""
    if not trial.intermediate_values:
        return None
    return trial_score(trial.intermediate_values, trial.user_attrs.get(FOLD_EPOCHS))
