"""Labels have to do with what is on the images."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from scipy.stats import binomtest
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from trainables.preflight.classifier import classifier_of
from trainables.preflight.result import Result, passed, skipped, warning
from trainables.preflight.setup import Setup

BY_CHANCE = 0.01
"""Probability of so many hits by guessing above which labels and images are taken to have nothing to do with each
other."""

LEAST, A_CLASS = 40, 4
"""Images, and images of each class, without which nothing can be told."""


def check_meaning(setup: Setup) -> Iterator[Result]:
    """Whether neighbours in the network's eyes have the same label more often than by chance.

    A binomial test of the hits of a vote of the five nearest, in four-fold cross-validation, against the share of the
    most frequent class.
    """
    labels = setup.train.labels.cpu()
    counts = labels.bincount(minlength=len(setup.classes))
    kept = (counts >= A_CLASS)[labels]
    if int(kept.sum()) < LEAST or int((counts >= A_CLASS).sum()) < 2:
        yield skipped("meaning", "too few images to tell whether labels belong to them")
        return
    features = features_of(setup)[kept]
    wanted = labels[kept].numpy()
    votes = KNeighborsClassifier(5, weights="distance")
    hits = int((cross_val_predict(votes, features.numpy(), wanted, cv=A_CLASS) == wanted).sum())
    chance = float(counts.max()) / int(kept.sum())
    surprise = float(binomtest(hits, len(wanted), min(chance, 1.0), alternative="greater").pvalue)
    share = hits / len(wanted)
    said = (
        f"images that look alike to the network share a label in {100 * share:.0f} % of {len(wanted)} cases, "
        f"by chance in {100 * chance:.0f} %"
    )
    figures = {"share": share, "chance": chance, "p": surprise}
    if surprise > BY_CHANCE:
        yield warning(
            "meaning", "labels_unrelated", said,
            "Look at the picture grid: labels may be shuffled against the images (a file list in another order), or "
            "the network does not see what tells the classes apart.", **figures,
        )  # fmt: skip
        return
    yield passed("meaning", said, **figures)


def features_of(setup: Setup) -> Tensor:
    """What the network makes of the training images before its classifier, [N, F]; its inputs where it has none."""
    loop = setup.loop()
    model = loop.model.eval()
    head = classifier_of(model)
    if head is None:
        return setup.train.inputs.flatten(1).cpu()
    seen: list[Tensor] = []
    handle = head.register_forward_pre_hook(
        lambda module, given: seen.append(given[0].detach().float().flatten(1).cpu())
    )
    try:
        for inputs in setup.train.inputs.split(64):
            loop.logits(inputs)
    finally:
        handle.remove()
    features = torch.cat(seen)
    features = features.nan_to_num()
    return (features - features.mean(0)) / features.std(0).clamp(min=1e-6)
