"""Which image a trial learns from, which it is judged by, and which nobody sees before the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from trainables.data.choices import SHARE
from trainables.data.listing import SPLITS, UNASSIGNED, Listing
from trainables.seeds import derive_seed

TRAIN, VAL, TEST = range(3)

LEFT_OUT = -2
"""In place of a split's number: the image is used nowhere."""


@dataclass(frozen=True)
class Assignment:
    """Each image's split.

    Args:
        splits: Index into `SPLITS`, or `LEFT_OUT`, [N], int8.
        clusters: Number of what stays on one side: images of a group, and copies of one another, [N].
        leaking: Images left out because a copy of them is in a split that the source gives to judge by, [N].
    """

    splits: NDArray[np.int8]
    clusters: NDArray[np.int64]
    leaking: NDArray[np.bool_]

    def rows(self, split: int) -> NDArray[np.int64]:
        """Images of one split, in the listing's order."""
        return np.flatnonzero(self.splits == split)


def assign(
    listing: Listing,
    readable: NDArray[np.bool_],
    copies: NDArray[np.int64] | None = None,
    *,
    val_share: float = SHARE,
    test_share: float = SHARE,
    seed: int = 0,
) -> Assignment:
    """Split the images of a source.

    Splits that the source names stay as they are; what it does not have is taken from its training images
    (or from those that it leaves unassigned): as many of each class as its share says, whole clusters only.
    Where the source's own splits hold copies of one another, those of the split that learns are left out:
    of train where val or test has one, of val where test has one.

    Args:
        listing: The source's images, [N].
        readable: Which of them can be used, [N].
        copies: Number of each image's near-duplicates, [N]; none if they may fall on both sides.
        val_share: Of the images, in [0, 1).
        test_share: Likewise.
        seed: Of the choice.
    """
    alone = np.arange(len(listing))
    copies = alone if copies is None else copies
    splits = np.where(readable, listing.splits, LEFT_OUT).astype(np.int8)
    leaking = _leaks(splits, copies)
    splits[leaking] = LEFT_OUT
    clusters = joined(copies, listing.groups)
    wanted = {
        split: share
        for split, share in ((VAL, val_share), (TEST, test_share))
        if share > 0 and not (splits == split).any()
    }
    pool = np.flatnonzero((splits == TRAIN) | (splits == UNASSIGNED))
    splits[pool] = TRAIN
    if wanted and len(pool):
        rng = np.random.default_rng(derive_seed(seed, "split"))
        splits[pool] = divided(listing.labels[pool], clusters[pool], wanted, rng)
    return Assignment(splits, clusters, leaking)


def joined(copies: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Clusters of images that copies or groups hold together, also by way of others, [N]."""
    images = len(copies)
    grouped = np.flatnonzero(groups != UNASSIGNED)
    # A graph of images and of what holds them together: image – copies, image – group.
    ends = np.concatenate([copies, copies.max(initial=-1) + 1 + groups[grouped]]) + images
    starts = np.concatenate([np.arange(images), grouped])
    nodes = int(ends.max(initial=images - 1)) + 1
    graph = coo_array((np.ones(len(starts), np.int8), (starts, ends)), shape=(nodes, nodes))
    _, found = connected_components(graph, directed=False)
    return np.unique(found[:images], return_inverse=True)[1].astype(np.int64)


def _leaks(splits: NDArray[np.int8], copies: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Images whose copy the source has put into a split that judges them, [N]."""
    tested = np.isin(copies, copies[splits == TEST])
    judged = tested | np.isin(copies, copies[splits == VAL])
    learns = (splits == TRAIN) | (splits == UNASSIGNED)
    return np.asarray((learns & judged) | ((splits == VAL) & tested))


def divided(
    labels: NDArray[np.int64],
    clusters: NDArray[np.int64],
    wanted: dict[int, float],
    rng: np.random.Generator,
) -> NDArray[np.int8]:
    """Splits of images, [M]: whole clusters, the large ones first, each to who needs it most.

    Args:
        labels: [M].
        clusters: Number of what stays on one side, [M].
        wanted: Split's number → its share of the images, in (0, 1); the rest trains.
        rng: Of the choice.
    """
    classes = int(labels.max()) + 1
    sides = [TRAIN, *wanted]
    need = _quotas(np.bincount(labels, minlength=classes), wanted)
    chosen = np.full(len(labels), TRAIN, np.int8)
    _, member_of, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(member_of, kind="stable"), np.cumsum(sizes)[:-1])
    order = rng.permutation(len(sizes))
    for cluster in order[np.argsort(-sizes[order], kind="stable")]:
        if sizes[cluster] == 1:
            break  # from here on all are alone
        rows = members[cluster]
        content = np.bincount(labels[rows], minlength=classes)
        side = max(range(len(sides)), key=lambda s: _gain(need[s], content))
        chosen[rows] = sides[side]
        need[side] -= content
    single = np.flatnonzero(sizes[member_of] == 1)
    single = single[rng.permutation(len(single))]
    for label in range(classes):
        rows = single[labels[single] == label]
        start = 0
        for side, split in enumerate(sides):
            if split != TRAIN:  # train takes what is left
                end = start + max(0, int(need[side, label]))
                chosen[rows[start:end]] = split
                start = end
    return chosen


def _gain(need: NDArray[np.int64], content: NDArray[np.int64]) -> float:
    """How well a cluster fills what a side still needs: what it takes too much counts against it, twice."""
    used = np.minimum(content, np.maximum(need, 0)).sum()
    over = content.sum() - used
    return float(used - 2 * over) + 1e-9 * float(need.sum())  # when alike, to the emptier side


def _quotas(counts: NDArray[np.int64], wanted: dict[int, float]) -> NDArray[np.int64]:
    """Images of each class for train and each wanted split, [1 + splits, classes].

    Shares are rounded so that their sums over the classes are right too (largest remainders). A class of
    few images has at least one for train, then one for each split as far as it goes.
    """
    quotas = np.zeros((1 + len(wanted), len(counts)), np.int64)
    for row, share in enumerate(wanted.values(), start=1):
        exact = counts * share
        low = np.floor(exact).astype(np.int64)
        more = round(float(exact.sum())) - int(low.sum())
        low[np.argsort(low - exact, kind="stable")[: max(more, 0)]] += 1
        can_give = counts - quotas.sum(axis=0) - 1  # one stays with train
        quotas[row] = np.clip(np.maximum(low, 1), 0, np.maximum(can_give, 0))
    quotas[0] = counts - quotas[1:].sum(axis=0)
    return quotas


def named(split: int) -> str:
    """``train``, ``val``, ``test``, or ``left out``."""
    return SPLITS[split] if split >= 0 else "left out"
