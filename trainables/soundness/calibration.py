"""Whether confidence is what it says: of the images given 0.8, are eight in ten right? And one number that mends it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from trainables.evaluation import calibration_error
from trainables.soundness.figures import Bin, Figures, Reliability
from trainables.soundness.outcomes import Outcomes, check_outcomes, evened, outcomes

BINS = 15
"""As Guo et al. have them."""

COLDEST, HOTTEST = 0.05, 20.0
"""Temperatures that a fit ends at, at the latest: where every image is right, the loss falls for ever towards 0."""

STEPS = 100
"""Most halvings or Newton steps of a fit; it takes about ten."""

ENTRIES = 2**16
"""Logits that are held in float64 at once during a fit: so few stay in a processor's cache."""


@dataclass(frozen=True)
class Calibration:
    """What a temperature changes on images that it was not fitted on.

    Args:
        temperature: What logits are divided by.
        accuracy: In [0, 1], before and after alike: dividing by a positive number leaves the order of logits.
        before: Of the logits as they are.
        after: Of the logits divided by the temperature.
    """

    temperature: float
    accuracy: float
    before: Figures
    after: Figures


def calibrate(
    fitted_logits: Tensor, fitted_labels: Tensor, logits: Tensor, labels: Tensor, bins: int = BINS
) -> Calibration:
    """Fit a temperature on one split and see on another what it is worth.

    Args:
        fitted_logits: [M, C], of the split that the temperature is fitted on: validation.
        fitted_labels: [M].
        logits: [N, C], of the other split: test.
        labels: [N].
        bins: Of the calibration errors.

    Raises:
        ValueError: See `check_outcomes`; or there is no bin.
    """
    temperature = fit_temperature(fitted_logits, fitted_labels)
    right = outcomes(logits, labels).right
    return Calibration(
        temperature=temperature,
        accuracy=int(right.sum()) / len(right),
        before=figures(logits, labels, bins),
        after=figures(logits.double() / temperature, labels, bins),
    )


def figures(logits: Tensor, labels: Tensor, bins: int = BINS) -> Figures:
    """All figures of one split.

    Args:
        logits: [N, C].
        labels: [N].
        bins: Of the calibration errors.

    Raises:
        ValueError: See `check_outcomes`; or there is no bin.
    """
    judged = outcomes(logits, labels)
    return Figures(
        nll=float(functional.cross_entropy(logits.double(), labels)),
        brier=_brier(judged),
        even_error=even_calibration_error(logits, labels, bins),
        classwise_error=classwise_calibration_error(logits, labels, bins),
        reliability=reliability(logits, labels, bins),
    )


def reliability(logits: Tensor, labels: Tensor, bins: int = BINS) -> Reliability:
    """Accuracy against confidence, in bins of equal width.

    Args:
        logits: [N, C].
        labels: [N].
        bins: How many, at least 1.

    Raises:
        ValueError: See `check_outcomes`; or there is no bin.

    Source: Guo et al., ICML 2017 (arXiv:1706.04599), equations 2 to 5.
    """
    check_outcomes(logits, labels)
    _check_bins(bins)
    probabilities = logits.float().softmax(1)  # to the bit what a trial is scored by
    confidence, guess = probabilities.max(1)
    place = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)  # as `calibration_error` has it
    nothing = torch.zeros(bins, dtype=torch.float64, device=logits.device)
    counts = torch.bincount(place, minlength=bins)
    means = nothing.index_add(0, place, confidence.double()) / counts.clamp(min=1)
    shares = nothing.index_add(0, place, (guess == labels).double()) / counts.clamp(min=1)
    return Reliability(
        bins=tuple(
            Bin(
                lower=index / bins,
                upper=(index + 1) / bins,
                count=count,
                confidence=mean if count else None,
                accuracy=share if count else None,
            )
            for index, (count, mean, share) in enumerate(
                zip(counts.tolist(), means.tolist(), shares.tolist(), strict=True)
            )
        ),
        ece=calibration_error(probabilities, labels, bins),
        mce=float((shares - means).abs().max()),
    )


def even_calibration_error(logits: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Expected calibration error over bins that hold the same number of images, in [0, 1].

    A confident network leaves most bins of equal width empty, and its error is then that of the last one.
    Counts differ by one where `bins` does not divide the images. Images of equal confidence share their
    mean gap, so that it does not matter which of them an edge falls between.

    Args:
        logits: [N, C].
        labels: [N].
        bins: How many, at least 1; of fewer images, one each.

    Raises:
        ValueError: See `check_outcomes`; or there is no bin.

    Source: Nguyen and O'Connor, EMNLP 2015 (arXiv:1508.05154), section 3.1; Nixon et al., CVPR workshops 2019
    (arXiv:1904.01685), of the guess alone.
    """
    judged = outcomes(logits, labels)
    _check_bins(bins)
    gaps = evened(judged.right.double() - judged.confidence, judged.confidence)
    parts = gaps[judged.confidence.argsort()].tensor_split(min(bins, len(gaps)))
    return sum(abs(float(part.sum())) for part in parts) / len(gaps)


def classwise_calibration_error(logits: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Calibration error of each class's probability, right or wrong, as a mean over the classes, in [0, 1].

    It sees what the guess alone hides: a class that is promised too often in second place. Where classes are
    many it is small, since most probabilities and most frequencies are 0: compare it only for equal C.

    Args:
        logits: [N, C].
        labels: [N].
        bins: Bins of equal width over each class's probability, at least 1.

    Raises:
        ValueError: See `check_outcomes`; or there is no bin.

    Source: Kull et al., NeurIPS 2019 (arXiv:1910.12656), equation 3.
    """
    judged = outcomes(logits, labels)
    _check_bins(bins)
    images, classes = judged.probabilities.shape
    gaps = functional.one_hot(labels, classes) - judged.probabilities
    place = (judged.probabilities * bins).ceil().long().sub(1).clamp(0, bins - 1)
    place += torch.arange(classes, device=place.device) * bins
    sums = torch.zeros(classes * bins, dtype=torch.float64, device=gaps.device)
    return float(sums.index_add_(0, place.flatten(), gaps.flatten()).abs().sum()) / (images * classes)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature T in [COLDEST, HOTTEST] for which softmax(logits / T) makes the labels likeliest.

    The loss is convex in 1 / T, so there is one minimum, and the sign of the slope says on which side of it
    one is: Newton's steps, and the middle of the bracket (of log T) wherever a step would leave it. Nothing is
    drawn at random. Where the loss does not change with T, it is 1.

    Args:
        logits: [N, C], of images the network did not learn from.
        labels: [N].

    Returns:
        Above 1 for a network that is too sure. `COLDEST` where the labels only grow likelier the surer it is
        (every image is right by a margin), `HOTTEST` where they are likeliest when all logits are alike.

    Raises:
        ValueError: See `check_outcomes`.

    Source: Guo et al., ICML 2017 (arXiv:1706.04599), section 4.2.
    """
    check_outcomes(logits, labels)
    least, most = 1 / HOTTEST, 1 / COLDEST
    if _slope(logits, labels, 1.0)[0] == 0:
        return 1.0
    if _slope(logits, labels, most)[0] <= 0:
        return COLDEST
    if _slope(logits, labels, least)[0] >= 0:
        return HOTTEST
    inverse = 1.0
    for _ in range(STEPS):
        slope, curvature = _slope(logits, labels, inverse)
        if slope < 0:
            least = inverse
        else:
            most = inverse
        step = inverse - slope / curvature if curvature > 0 else math.inf
        following = step if least < step < most else math.sqrt(least * most)
        if abs(following - inverse) <= 1e-12 * inverse:
            break
        inverse = following
    return 1 / inverse


def _slope(logits: Tensor, labels: Tensor, inverse: float) -> tuple[float, float]:
    """First and second derivative of the mean loss in 1 / T, at 1 / T = `inverse`.

    With p = softmax(z / T) they are the means over images of E_p[z] - z_label and of Var_p[z].
    """
    slope = curvature = 0.0
    rows = max(1, ENTRIES // logits.shape[1])
    for part, truth in zip(logits.split(rows), labels.split(rows), strict=True):
        # Measured from the label's own logit: what is subtracted later would cost digits.
        z = part.double() - part.double().gather(1, truth[:, None])
        weighted = (z * inverse).softmax(1).mul_(z)
        mean = weighted.sum(1)
        slope += float(mean.sum())
        curvature += float((weighted.mul_(z).sum(1) - mean.square()).sum())
    return slope / len(logits), curvature / len(logits)


def _brier(judged: Outcomes) -> float:
    """Brier, Monthly Weather Review 1950: over all classes, so that two classes give twice the binary score."""
    truth = functional.one_hot(judged.labels, judged.probabilities.shape[1])
    return float((judged.probabilities - truth).square().sum(1).mean())


def _check_bins(bins: int) -> None:
    if bins < 1:
        raise ValueError(f"bins must be at least 1, but got {bins}")
