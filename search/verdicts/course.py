"""What the winner's own curves show: still improving at the end, or overfitting long before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from search.verdicts.verdict import Case, Verdict
from spaces import Float
from trainables.protocol import EpochRecord

FEWEST = 9
"""Epochs below which a curve has no course."""
LATE, BEFORE = 0.1, 0.3
"""The last tenth of the epochs is compared with the fifth before it."""
LEAST = 0.003
"""A gain in score below which a longer training is not worth its time."""
RISE = 1.15
"""By how much the validation loss must have risen above its lowest, as a factor."""


def still_improving(case: Case) -> list[Verdict]:
    """The winner's scores rise until its training ends."""
    gains = [gain for records in case.trainings if (gain := _gain(records, case.epochs)) is not None]
    if not gains:
        return []
    gain = fmean(gains)
    error = stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
    if gain < LEAST or gain < 2 * error:
        return []
    return [
        Verdict(
            "still improving at the last epoch",
            "The winner had not learnt all that it could.",
            f"Its scores rose by {gain:.3f} from the fifth of the epochs before the last tenth to that, over "
            f"{len(gains)} training{'s' * (len(gains) > 1)}.",
            (f"--epochs {2 * case.epochs}",),
        )
    ]


def _gain(records: Sequence[EpochRecord], epochs: int) -> float | None:
    scores = [record.score for record in records if record.epoch <= epochs]
    if epochs < FEWEST or len(scores) < epochs:
        return None
    late = max(1, round(LATE * epochs))
    before = max(late + 1, round(BEFORE * epochs))
    return fmean(scores[-late:]) - fmean(scores[-before:-late])


def overfitting(case: Case) -> list[Verdict]:
    """The winner's validation loss rises while its training loss falls."""
    rises = []
    for records in case.trainings:
        losses = [
            (record.metrics["val/loss"], record.metrics["train/loss"])
            for record in records
            if {"val/loss", "train/loss"} <= record.metrics.keys() and record.epoch <= case.epochs
        ]
        if len(losses) < FEWEST:
            continue
        lowest = min(range(len(losses)), key=lambda epoch: losses[epoch][0])
        rises.append(
            (lowest + 1, losses[-1][0] / max(losses[lowest][0], 1e-12), losses[-1][1] < losses[lowest][1])
        )
    over = [rise for rise in rises if rise[1] > RISE and rise[2]]
    if not rises or len(over) <= len(rises) / 2:
        return []
    epoch = round(fmean(rise[0] for rise in over))
    return [
        Verdict(
            "overfitting",
            "The winner learns its training images by heart.",
            f"Its validation loss is lowest at epoch {epoch} of {case.epochs} and {fmean(r[1] for r in over) - 1:.0%} "
            f"higher at the end, while its training loss falls; so in {len(over)} of {len(rises)} "
            f"training{'s' * (len(rises) > 1)}.",
            _against(case),
        )
    ]


def _against(case: Case) -> tuple[str, ...]:
    """More of what the space has against it, from the winner's own strength on."""
    for name in ("augmentation_strength", "dropout", "weight_decay"):
        leaf = case.history.space.leaves().get(name)
        here = (case.winner or {}).get(name)
        if isinstance(leaf, Float) and not leaf.is_fixed and isinstance(here, float) and here < leaf.high:
            return (f"--set {name}=[{here:.2g},{leaf.high:g}]",)
    return ()
