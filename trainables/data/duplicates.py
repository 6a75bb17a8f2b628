"""Copies of one picture: the same bytes, or the same scene scaled, compressed, cut or brightened a little.

Near-duplicates are found in two steps. Perceptual hashes name candidates: pairs whose 64 bits differ in at most
`BITS`, found without comparing all with all (multi-index hashing, Norouzi et al., CVPR 2012). Then small grey
thumbnails decide: the correlation of the middle of one with parts of the other that are moved and scaled by up
to 4 %, at its best place. The limits come from real photographs: copies made on purpose (JPEG of quality
60, half the size, 5 % brighter, 2 % cut from each edge or 3 % from one corner) reach 0.958 or more, hands of one
person showing the same sign reach 0.953, and what lies between 0.955 and 1 among photographs of groceries is one
scene taken twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from trainables.data.likeness import look
from trainables.data.parallel import in_parallel

VERSION = 1
"""Raised when other images count as copies of each other."""

BITS = 10
"""Most bits of the perceptual hash in which copies may differ."""

ALIKE = 0.955
"""Least correlation of copies at the best place."""

TINY, ALIKE_TINY = 48, 0.99
"""Pixels of the shorter side below which pictures have too little detail to be told from others of their class,
and what copies among them must reach: handwritten digits of 8 pixels reach 0.98 by the dozen."""

MOST = 500_000
"""Pairs that are looked at; beyond, those with the most like hashes (a data set of nothing but one motif)."""

_CROWD = 64
"""Pairs of images whose hashes are the same that are all looked at; of more, each with a few others."""


def exact_groups(digests: NDArray[np.str_]) -> NDArray[np.int64]:
    """Number of each image's group of the same bytes, [N]; images without a digest are alone."""
    texts = [digest or f"alone {row}" for row, digest in enumerate(digests.tolist())]
    return np.unique(np.asarray(texts), return_inverse=True)[1].astype(np.int64).reshape(-1)


def near_groups(
    phash: NDArray[np.uint64],
    picture: Callable[[int], NDArray[np.uint8]],
    rows: NDArray[np.int64],
    *,
    sides: NDArray[np.int32] | None = None,
) -> NDArray[np.int64]:
    """Number of each image's group of near-duplicates, [N]; those outside of `rows` are alone.

    Images belong together that are copies, or copies of copies: what is to be kept apart must not be joined by
    a third.

    Args:
        phash: Perceptual hashes, [N].
        picture: Row → the picture [H, W, C].
        rows: The images to look at.
        sides: Shorter side of each image before it was resized, pixels, [N]; none for large ones.
    """
    first, second = candidates(phash[rows])
    large = np.ones(len(rows), bool) if sides is None else sides[rows] >= TINY
    some = np.unique(np.concatenate([first, second]))
    looks = look(picture, rows[some])
    a, b = np.searchsorted(some, first), np.searchsorted(some, second)
    likely = looks.roughly_alike(a, b)
    a, b, first, second = a[likely], b[likely], first[likely], second[likely]
    likeness = in_parallel(lambda pair: looks.likeness(int(a[pair]), int(b[pair])), len(a), None)
    same = np.asarray(likeness) >= np.where(large[first] & large[second], ALIKE, ALIKE_TINY)
    links = (np.ones(int(same.sum()), np.int8), (rows[first[same]], rows[second[same]]))
    graph = coo_array(links, shape=(len(phash), len(phash)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def candidates(hashes: NDArray[np.uint64], bits: int = BITS) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of images, the first before the second, whose hashes differ in at most `bits` bits, [P] and [P].

    Where many images share one hash (blank ones do), each is paired with a few of the others.

    Args:
        hashes: [M].
        bits: At most 11.
    """
    values, value_of, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(value_of, kind="stable"), np.cumsum(sizes)[:-1])
    u, v = _near(values, bits)
    distance = np.bitwise_count(values[u] ^ values[v])
    nearest = np.argsort(distance, kind="stable")[:MOST]
    pairs = [pair for value in np.flatnonzero(sizes > 1).tolist() for pair in _within(members[value])]
    pairs += [pair for one, other in zip(u[nearest].tolist(), v[nearest].tolist(), strict=True)
              for pair in _between(members[one], members[other])]  # fmt: skip
    found = np.sort(np.asarray(pairs, np.int64).reshape(-1, 2), axis=1)
    return found[:, 0], found[:, 1]


def _within(images: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Pairs of images with one hash: all of a few, else each with the first and with its neighbour."""
    if len(images) ** 2 <= 2 * _CROWD:
        yield from combinations(images.tolist(), 2)
        return
    yield from ((int(images[0]), int(image)) for image in images[1:])
    yield from zip(images[1:-1].tolist(), images[2:].tolist(), strict=True)


def _between(some: NDArray[np.int64], others: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Pairs of images with two hashes that are near: all of a few, else of the first of each."""
    most = len(some) if len(some) * len(others) <= _CROWD else 4
    yield from product(some[:most].tolist(), others[:most].tolist())


def _near(values: NDArray[np.uint64], bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of different 64-bit values that differ in at most `bits` bits.

    Eleven different bits in four bands of sixteen leave one band with two of them at most: each band of each
    value is looked up with none, any one and any two of its bits turned.
    """
    turned = [
        0,
        *(1 << bit for bit in range(16)),
        *((1 << a) | (1 << b) for a, b in combinations(range(16), 2)),
    ]
    everyone, found = np.arange(len(values)), [np.zeros(0, np.int64)]
    for band in range(4):
        keys = ((values >> np.uint64(16 * band)) & np.uint64(0xFFFF)).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        starts = np.searchsorted(keys[order], np.arange(2**16 + 1))
        for turn in turned:
            begin, end = starts[keys ^ turn], starts[(keys ^ turn) + 1]
            for part in _portions(end - begin):
                counts = (end - begin)[part]
                first = np.repeat(everyone[part], counts)
                within = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
                second = order[np.repeat(begin[part], counts) + within]
                near = (first < second) & (np.bitwise_count(values[first] ^ values[second]) <= bits)
                found.append(first[near] * len(values) + second[near])
    pairs = np.unique(np.concatenate(found))
    return pairs // max(len(values), 1), pairs % max(len(values), 1)


def _portions(counts: NDArray[np.int64], most: int = 4_000_000) -> Iterator[slice]:
    """Stretches whose counts sum to about `most` at a time."""
    total = np.cumsum(counts)
    if not len(counts) or not total[-1]:
        return
    edges = np.searchsorted(total, np.arange(0, int(total[-1]), most), side="right")
    for start, end in zip(edges, [*edges[1:], len(counts)], strict=True):
        if start < end:
            yield slice(int(start), int(end))
