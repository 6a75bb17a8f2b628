"""Which images a network is surest about and wrong, and which training images those look like to it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from trainables.soundness.outcomes import outcomes

DIGITS = 6
"""Decimals of a similarity: copies of an image are equal in them, whatever order their features were summed in."""

QUERIES, KNOWN = 64, 4096
"""Rows of either side that are compared at once."""


@dataclass(frozen=True)
class Mistake:
    """One image that the network is wrong about.

    Args:
        index: Its row.
        true: Its label.
        guessed: The class it was given.
        confidence: The probability of that class, in [0, 1].
        probability: The probability of the true class, in [0, 1].
    """

    index: int
    true: int
    guessed: int
    confidence: float
    probability: float


@dataclass(frozen=True)
class Neighbours:
    """The training images that are most alike to each query.

    Args:
        rows: [Q, k], int64, the most alike first; of equally alike ones the smaller row first.
        similarity: [Q, k], float64: the cosine of the angle between the features, in [-1, 1], to six decimals.
    """

    rows: Tensor
    similarity: Tensor


def mistakes(logits: Tensor, labels: Tensor, most: int) -> tuple[Mistake, ...]:
    """The wrong images, most confidently wrong first.

    Wrong labels show here too: a sound network is sure of what the image is.

    Args:
        logits: [N, C].
        labels: [N].
        most: At most so many. Of equal confidence, those whose true class is less likely come first, then by row.

    Raises:
        ValueError: See `trainables.soundness.outcomes.check_outcomes`; or `most` is negative.
    """
    if most < 0:
        raise ValueError(f"most must be at least 0, but got {most}")
    judged = outcomes(logits, labels)
    probability = judged.probabilities.gather(1, labels[:, None])[:, 0]
    rows = (~judged.right).nonzero().flatten()
    rows = rows[probability[rows].argsort(stable=True)]
    rows = rows[judged.confidence[rows].argsort(descending=True, stable=True)]
    return tuple(
        Mistake(
            index=row,
            true=int(labels[row]),
            guessed=int(judged.guesses[row]),
            confidence=float(judged.confidence[row]),
            probability=float(probability[row]),
        )
        for row in rows[:most].tolist()
    )


@torch.inference_mode()
def nearest(queries: Tensor, known: Tensor, k: int) -> Neighbours:
    """The k training images whose features point most nearly the same way, for each query.

    Args:
        queries: Features of the images asked about, [Q, D].
        known: Features of the training images, [N, D], on the same device. Features that are all 0 are as
            like to any others as those at a right angle: 0.
        k: In [1, N].

    Raises:
        ValueError: Shapes that do not go together, features that are not finite, or a k out of range.
    """
    if queries.dim() != 2 or known.dim() != 2 or queries.shape[1] != known.shape[1]:
        raise ValueError(
            "features must be [Q, D] and [N, D] of one D, "
            f"but got {list(queries.shape)} and {list(known.shape)}"
        )
    if not bool(queries.isfinite().all() and known.isfinite().all()):
        raise ValueError("features must be finite, but got others")
    if not 1 <= k <= len(known):
        raise ValueError(f"k must be in [1, {len(known)}], the training images, but got {k}")
    found = [_nearest(part, known, k) for part in queries.split(QUERIES)]
    return Neighbours(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _nearest(queries: Tensor, known: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Rows and similarities of the nearest, for a few queries."""
    ours = functional.normalize(queries.double())
    alike = torch.cat([ours @ functional.normalize(part.double()).T for part in known.split(KNOWN)], 1)
    alike = alike.clamp_(-1, 1).round(decimals=DIGITS)
    # `topk` takes any of equal values. What is above the last of them is in, and of those that equal it as many
    # as there is room for, from the first row on.
    last = alike.topk(k).values[:, -1:]
    above, equal = alike > last, alike == last
    chosen = above | (equal & (equal.cumsum(1) <= k - above.sum(1, keepdim=True)))
    rows = chosen.nonzero()[:, 1].view(-1, k)
    similarity, order = alike.gather(1, rows).sort(descending=True, stable=True)
    return rows.gather(1, order), similarity
