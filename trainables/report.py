"""What a network is worth on a split, in detail, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from trainables.evaluation import score_logits

MOST_CLASSES = 200
"""A confusion matrix of more classes is left out: it has more entries than a report bears."""

HEADLINE = ("accuracy", "top5", "f1", "precision", "recall", "auroc", "ece", "loss")
"""The figures of a report that are one number."""


def detailed(logits: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """Measure everything.

    scikit-learn has all of it too, and agrees (tests compare), but importing that costs every worker
    seconds.

    Args:
        logits: [N, classes].
        labels: [N].
        classes: Their names.

    Returns:
        ``accuracy``, ``top5`` (of fewer classes, all of them), ``loss`` (nats), ``ece``; ``precision``,
        ``recall`` and ``f1`` as means over the classes that the split has; ``auroc``, one class against the
        rest, as a mean over those for which it exists, or none; ``per_class`` with the same by name and
        ``support``; ``confusion``, a row for each true class, up to `MOST_CLASSES` of them, else none.
    """
    count = len(classes)
    figures = score_logits(logits, labels)
    cells = torch.bincount(labels * count + logits.argmax(1), minlength=count**2).view(count, count).cpu()
    hits, support, guessed = cells.diagonal().double(), cells.sum(1), cells.sum(0)
    # A class that is never guessed has no precision; as usual it counts as 0 (so do recall and F1).
    precision = hits / guessed.clamp(min=1)
    recall = hits / support.clamp(min=1)
    f1 = 2 * hits / (guessed + support).clamp(min=1)
    aurocs = _aurocs(logits, labels)
    known = [value for value in aurocs if value is not None]
    best = logits.topk(min(5, count), 1).indices
    present = support > 0
    return {
        "images": len(labels),
        "accuracy": figures["accuracy"],
        "top5": float((best == labels[:, None]).any(1).float().mean()),
        "loss": figures["loss"],
        "ece": figures["ece"],
        "precision": float(precision[present].mean()),
        "recall": float(recall[present].mean()),
        "f1": float(f1[present].mean()),
        "auroc": sum(known) / len(known) if known else None,
        "per_class": {
            name: {
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "auroc": aurocs[index],
                "support": int(support[index]),
            }
            for index, name in enumerate(classes)
        },
        "confusion": cells.tolist() if count <= MOST_CLASSES else None,
    }


def _aurocs(logits: Tensor, labels: Tensor) -> list[float | None]:
    """One class against the rest, by its probability; none where the split has only one side of it.

    The share of pairs of an image of the class and one of the rest that are in the right order, ties
    counting half: from ranks (Mann & Whitney, 1947), as scikit-learn has it.
    """
    images, classes = logits.shape
    if not bool(logits.isfinite().all()):
        return [None] * classes
    found: list[float | None] = []
    for index, scores in enumerate(logits.double().softmax(1).unbind(1)):
        one = labels == index
        ones = int(one.sum())
        if ones in (0, images):
            found.append(None)
            continue
        _, place, sizes = scores.unique(return_inverse=True, return_counts=True)
        ranks = sizes.cumsum(0) - (sizes - 1) / 2  # equal scores share the mean of their ranks
        above = float(ranks[place][one].sum()) - ones * (ones + 1) / 2
        found.append(above / (ones * (images - ones)))
    return found


def headline(report: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a report that are one finite number, as ``final/<name>``; empty for an empty report."""
    return {
        f"final/{name}": float(report[name])
        for name in HEADLINE
        if report.get(name) is not None and math.isfinite(report[name])
    }
