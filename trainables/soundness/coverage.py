"""Accuracy against coverage: how much better a network gets if it may leave its least sure images to somebody else."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.soundness.outcomes import evened, outcomes


@dataclass(frozen=True)
class Point:
    """What is accepted by one threshold.

    Args:
        coverage: Share of the images that are accepted, in (0, 1].
        accuracy: Share of the accepted that is right, in [0, 1].
        threshold: Least confidence that is accepted, in [0, 1]: softmax in float64.
    """

    coverage: float
    accuracy: float
    threshold: float


@dataclass(frozen=True)
class Coverage:
    """The curve, and how good the order is that confidence puts images in.

    Args:
        points: One for each confidence that occurs, the surest images first: coverage rises to 1. Images of
            equal confidence are accepted together, since no threshold parts them.
        aurc: Area under risk (1 - accuracy) over coverage, in [0, 1], lower is better: the mean of the risk
            over 1, 2, …, N accepted images. Within images of equal confidence, the mean over their orders.
        excess_aurc: `aurc` without what the best possible order, all right images first, would leave of it: 0
            for that order, whatever the accuracy.

    Source: Geifman and El-Yaniv, NeurIPS 2017 (arXiv:1705.08500), for the threshold; Geifman et al., ICLR 2019
    (arXiv:1805.08206), for both areas, the best order's here as its sum and not as the paper's integral.
    """

    points: tuple[Point, ...]
    aurc: float
    excess_aurc: float

    def threshold_for(self, accuracy: float) -> Point | None:
        """The smallest threshold at which the accepted images reach an accuracy: the largest coverage.

        Chosen on the images that it is judged by, it is hopeful: choose it on the validation split, and see
        with `at` what it does on the test split.

        Args:
            accuracy: Wanted, in (0, 1].

        Returns:
            The point of the curve, or none where no threshold reaches that accuracy.

        Raises:
            ValueError: `accuracy` is not in (0, 1].
        """
        if not 0 < accuracy <= 1:
            raise ValueError(f"the accuracy must be above 0 and at most 1, but got {accuracy}")
        return next((point for point in reversed(self.points) if point.accuracy >= accuracy), None)

    def at(self, threshold: float) -> Point | None:
        """What a threshold accepts of these images, or none where it accepts none of them.

        Args:
            threshold: Least confidence, as another split's curve gives it.
        """
        return next((point for point in reversed(self.points) if point.threshold >= threshold), None)


def coverage(logits: Tensor, labels: Tensor) -> Coverage:
    """The curve of a network that gives its largest probability as its confidence.

    Args:
        logits: [N, C].
        labels: [N].

    Raises:
        ValueError: See `check_outcomes`.
    """
    judged = outcomes(logits, labels)
    images = len(labels)
    order = judged.confidence.argsort(descending=True)
    thresholds, counts = judged.confidence[order].unique_consecutive(return_counts=True)
    accepted = counts.cumsum(0)
    right = judged.right[order].cumsum(0)[accepted - 1]
    points = tuple(
        Point(coverage=taken / images, accuracy=hits / taken, threshold=threshold)
        for taken, hits, threshold in zip(accepted.tolist(), right.tolist(), thresholds.tolist(), strict=True)
    )
    ranks = torch.arange(1, images + 1, dtype=torch.float64, device=order.device)
    errors = evened(~judged.right, judged.confidence)[order]
    aurc = float((errors.cumsum(0) / ranks).mean())
    best = float(((ranks - int(judged.right.sum())).clamp(min=0) / ranks).mean())
    return Coverage(points=points, aurc=aurc, excess_aurc=max(0.0, aurc - best))
