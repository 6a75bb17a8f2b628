"""Several trainings for one score: k-fold cross-validation and repeated holdout, for sets that are small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spaces import InputError
from trainables.data.dataset import Dataset, Images
from trainables.data.splits import VAL, divided
from trainables.seeds import derive_seed


def with_folds(dataset: Dataset, folds: int = 1, holdouts: int = 1, seed: int = 0) -> Dataset:
    """The data set with several pairs of training and validation images, made of those that it has.

    The first pair is what the data set's own train and val become, so that whoever knows of one only can
    train on it. The test split stays as it is.

    Args:
        dataset: With train and val.
        folds: Parts of about the same size, each judged by once; 1 for no folds.
        holdouts: Splits drawn anew, each with as large a share to be judged by as the data set's own; 1 for
            the data set's own alone.
        seed: Of the choice.

    Raises:
        InputError: A class has fewer images, or groups of them, than there are folds.
    """
    if folds == holdouts == 1:
        return dataset
    train, val = dataset.train, dataset.val
    pool = _pool(train, val)
    clusters = np.arange(len(pool)) if pool.clusters is None else pool.clusters
    if folds > 1:
        _check_enough(dataset, pool.labels, folds)
        parts = fold_of(pool.labels, clusters, folds, seed)
        judged: Iterator[NDArray[np.bool_]] = (parts == fold for fold in range(folds))
    else:
        share = len(val) / len(pool)
        judged = (
            divided(
                pool.labels, clusters, {VAL: share}, np.random.default_rng(derive_seed(seed, "holdout", i))
            )
            == VAL
            for i in range(holdouts)
        )
    pairs = tuple((_some(pool, ~chosen), _some(pool, chosen)) for chosen in judged)
    return replace(dataset, train=pairs[0][0], val=pairs[0][1], folds=pairs)


def fold_of(
    labels: NDArray[np.int64], clusters: NDArray[np.int64], folds: int, seed: int
) -> NDArray[np.int64]:
    """The fold that judges each image, [N]: stratified by class, clusters whole.

    Source: scikit-learn's `StratifiedKFold`, and `StratifiedGroupKFold` where images have clusters.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    state = derive_seed(seed, "folds") % 2**32
    if len(np.unique(clusters)) == len(clusters):
        parts = StratifiedKFold(folds, shuffle=True, random_state=state).split(labels, labels)
    else:
        parts = StratifiedGroupKFold(folds, shuffle=True, random_state=state).split(labels, labels, clusters)
    found = np.empty(len(labels), np.int64)
    for fold, (_, judged) in enumerate(parts):
        found[judged] = fold
    return found


def _check_enough(dataset: Dataset, labels: NDArray[np.int64], folds: int) -> None:
    counts = np.bincount(labels, minlength=len(dataset.classes))
    few = [label for label in range(len(counts)) if 0 < counts[label] < folds]
    if few:
        raise InputError(
            f"each class must have an image for each of the {folds} folds, but "
            f"{dataset.classes[few[0]]!r} has {counts[few[0]]}"
        )


def _pool(train: Images, val: Images) -> Images:
    """Both splits as one, their pictures shared where they lie in one array."""
    labels = np.concatenate([train.labels, val.labels])
    clusters = None
    if train.clusters is not None and val.clusters is not None:
        clusters = np.concatenate([train.clusters, val.clusters])
    if train.pixels is val.pixels and train.rows is not None and val.rows is not None:
        return replace(train, labels=labels, rows=np.concatenate([train.rows, val.rows]), clusters=clusters)
    pixels = np.concatenate([chunk for split in (train, val) for chunk in split.chunks(4096)])
    return replace(train, pixels=pixels, labels=labels, rows=np.arange(len(labels)), clusters=clusters)


def _some(pool: Images, chosen: NDArray[np.bool_]) -> Images:
    """Some of the pool's images; the pictures stay where they are."""
    assert pool.rows is not None
    clusters = None if pool.clusters is None else pool.clusters[chosen]
    return replace(pool, labels=pool.labels[chosen], rows=pool.rows[chosen], clusters=clusters)
