"""What is found of a network, as numbers: readable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Bin:
    """The images of one stretch of confidence.

    Args:
        lower: Its lower edge, which it does not hold (the first bin does).
        upper: Its upper edge, which it holds.
        count: Images.
        confidence: Their mean confidence, in [0, 1]; none where there are none.
        accuracy: The share of them that is right; likewise.
    """

    lower: float
    upper: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram.

    Args:
        bins: Bins of equal width over [0, 1], in rising order.
        ece: Expected calibration error, in [0, 1]: as `trainables.evaluation.calibration_error` has it.
        mce: Maximum calibration error, in [0, 1]: the largest gap of a bin that has images, however few.
    """

    bins: tuple[Bin, ...]
    ece: float
    mce: float


@dataclass(frozen=True)
class Figures:
    """How well probabilities fit.

    Args:
        nll: Mean negative log-likelihood of the labels, nats.
        brier: Mean over images of the squared distance between probabilities and label, in [0, 2].
        even_error: See `trainables.soundness.calibration.even_calibration_error`.
        classwise_error: See `trainables.soundness.calibration.classwise_calibration_error`.
        reliability: By bins of equal width.
    """

    nll: float
    brier: float
    even_error: float
    classwise_error: float
    reliability: Reliability


@dataclass(frozen=True)
class Robustness:
    """Accuracies, each in [0, 1].

    Args:
        images: How many were measured on.
        clean: On the images as they are.
        accuracies: By corruption, of each severity in rising order.
        families: By family, the mean over its corruptions and severities.
        mean: Over all corruptions, each by the mean of its severities: a family of more corruptions counts more.
        relative: `mean` as a share of `clean`; none where nothing is right. It may lie above 1.

    Source: Hendrycks and Dietterich, ICLR 2019 (arXiv:1903.12261); they divide errors by AlexNet's, which means
    nothing for other data.
    """

    images: int
    clean: float
    accuracies: Mapping[str, tuple[float, ...]]
    families: Mapping[str, float]
    mean: float
    relative: float | None


@dataclass(frozen=True)
class Flatness:
    """Rises of the loss; small is flat. Comparable between networks of one architecture, on the same images.

    Args:
        loss: At the weights themselves.
        rises: By how much it is larger (or smaller, where below 0) at random places, one for each direction.
        mean_rise: Their mean.
        worst_rise: The same one step up the gradient.
    """

    loss: float
    rises: tuple[float, ...]
    mean_rise: float
    worst_rise: float
