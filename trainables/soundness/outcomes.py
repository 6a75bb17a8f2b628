"""What a network said of each image, and whether that was right: the ground that confidence is judged on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Outcomes:
    """Logits against labels, image by image.

    Args:
        probabilities: Softmax of the logits, [N, C], float64: in float32 the confidence of a well trained
            network is 1 for many images that are not equally sure.
        labels: [N], int64.
        guesses: The class of the largest logit, [N], int64.
        confidence: The probability of the guess, [N], float64.
        right: Whether the guess is the label, [N], bool.
    """

    probabilities: Tensor
    labels: Tensor
    guesses: Tensor
    confidence: Tensor
    right: Tensor


def check_outcomes(logits: Tensor, labels: Tensor) -> None:
    """See that logits and labels can be judged.

    Args:
        logits: [N, C].
        labels: [N].

    Raises:
        ValueError: There is no image, the shapes do not go together, a logit is not finite, or a label is not
            a column of the logits.
    """
    if logits.dim() != 2 or labels.shape != logits.shape[:1] or not logits.numel():
        raise ValueError(
            "logits must be [N, C] and labels [N] with N and C above 0, "
            f"but got {list(logits.shape)} and {list(labels.shape)}"
        )
    if not bool(logits.isfinite().all()):
        rows = int((~logits.isfinite()).any(1).sum())
        raise ValueError(f"logits must be finite, but got others in {rows} of {len(logits)} rows")
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= logits.shape[1]:
        raise ValueError(f"labels must be in [0, {logits.shape[1]}), but got values from {least} to {most}")


def outcomes(logits: Tensor, labels: Tensor) -> Outcomes:
    """Judge each image.

    Args:
        logits: [N, C].
        labels: [N].

    Raises:
        ValueError: See `check_outcomes`.
    """
    check_outcomes(logits, labels)
    probabilities = logits.double().softmax(1)
    guesses = logits.argmax(1)
    confidence = probabilities.gather(1, guesses[:, None])[:, 0]
    return Outcomes(probabilities, labels, guesses, confidence, guesses == labels)


def evened(values: Tensor, confidence: Tensor) -> Tensor:
    """Each value replaced by the mean over all images of its very confidence, [N] float64.

    What is then summed in the order of confidence does not depend on how images of equal confidence are
    ordered: it is the mean over all their orders.

    Args:
        values: [N].
        confidence: [N].
    """
    _, place, sizes = confidence.unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(sizes), dtype=torch.float64, device=values.device)
    means: Tensor = (sums.index_add_(0, place, values.double()) / sizes)[place]
    return means
