"""How well probabilities fit, as numbers: readable without torch."""

from __future__ import annotations

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
