"""From what a network said of two splits to all that is kept of its soundness."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.soundness.calibration import BINS, COLDEST, HOTTEST, figures, fit_temperature
from trainables.soundness.coverage import coverage
from trainables.soundness.outcomes import Outcomes, outcomes
from trainables.soundness.soundness import (
    GRID,
    MOST_CONFUSIONS,
    ClassCounts,
    Confusion,
    Deferral,
    Soundness,
)

DRAWS, QUANTILE = 400, 0.95
"""Calibrated networks that are made up for `calibrated_error`, and of which share of them it is the largest."""

ENTRIES = 2**22
"""Random numbers that are held at once."""


def judge(
    logits: Tensor, labels: Tensor, fitted_logits: Tensor, fitted_labels: Tensor, names: Sequence[str]
) -> Soundness | None:
    """Judge one network.

    Args:
        logits: [N, C], of the split that it is judged on.
        labels: [N].
        fitted_logits: [M, C], of the validation split: temperature and threshold are chosen there.
        fitted_labels: [M].
        names: Of the C classes.

    Returns:
        None where a logit is not finite: nothing can be said of such probabilities.

    Raises:
        ValueError: See `trainables.soundness.outcomes.check_outcomes`.
    """
    if not bool(logits.isfinite().all() and fitted_logits.isfinite().all()):
        return None
    judged = outcomes(logits, labels)
    temperature = fit_temperature(fitted_logits, fitted_labels)
    fits = COLDEST < temperature < HOTTEST
    counts = (
        torch.bincount(one, minlength=logits.shape[1]).tolist()
        for one in (labels, judged.guesses, labels[judged.right])
    )
    curve = coverage(logits, labels)
    return Soundness(
        networks=1,
        images=len(labels),
        labels=tuple(names),
        classes=tuple(ClassCounts(*row) for row in zip(*counts, strict=True)),
        confusions=_confusions(judged),
        before=figures(logits, labels),
        chance=calibrated_error(judged),
        coverage=tuple(
            next(point.accuracy for point in curve.points if point.coverage >= share - 1e-9) for share in GRID
        ),
        temperature=temperature if fits else None,
        after=figures(logits.double() / temperature, labels) if fits else None,
        deferral=_deferral(logits, labels, fitted_logits, fitted_labels),
    )


def calibrated_error(judged: Outcomes, bins: int = BINS) -> float:
    """The calibration error that chance gives a network which is right exactly as often as it says.

    Few images miss their own mean: an error of a few hundredths need not say anything. Of each image it is drawn
    anew whether it is right, with its confidence as the chance; the same draws for the same confidences.

    Args:
        judged: What a network said of the images, N of them.
        bins: Bins of equal width, as of `trainables.soundness.calibration.reliability`.

    Returns:
        The error that 19 of 20 such networks stay below, in [0, 1].

    Source: Bröcker and Smith, Weather and Forecasting 2007 (consistency resampling).
    """
    confidence = judged.confidence.double().cpu()
    place = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    generator = torch.Generator().manual_seed(0)
    parts = torch.nn.functional.one_hot(place, bins).double()
    errors: list[float] = []
    while len(errors) < DRAWS:
        draws = min(DRAWS - len(errors), max(1, ENTRIES // len(confidence)))
        drawn = torch.rand((draws, len(confidence)), generator=generator, dtype=torch.float64)
        gaps = ((drawn < confidence).double() - confidence) @ parts
        errors += (gaps.abs().sum(1) / len(confidence)).tolist()
    return sorted(errors)[round(QUANTILE * DRAWS) - 1]


def _confusions(judged: Outcomes) -> tuple[Confusion, ...]:
    """The most frequent first; of equal ones in the order of the classes."""
    wrong = ~judged.right
    both = torch.stack([judged.labels[wrong], judged.guesses[wrong]], 1)
    pairs, counts = both.unique(dim=0, return_counts=True)
    order = counts.argsort(descending=True, stable=True)[:MOST_CONFUSIONS]
    rows = zip(pairs[order].tolist(), counts[order].tolist(), strict=True)
    return tuple(Confusion(true, guessed, images) for (true, guessed), images in rows)


def _deferral(
    logits: Tensor, labels: Tensor, fitted_logits: Tensor, fitted_labels: Tensor
) -> Deferral | None:
    chosen = coverage(fitted_logits, fitted_labels)
    everything = chosen.points[-1].accuracy
    point = chosen.threshold_for(1 - (1 - everything) / 2) if 0 < everything < 1 else None
    found = coverage(logits, labels).at(point.threshold) if point is not None else None
    if point is None or found is None:
        return None
    return Deferral(point.threshold, found.coverage, found.accuracy)
