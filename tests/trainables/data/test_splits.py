"""Splits: stratified, grouped, seeded; what the source says stands; copies never face each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from trainables.data.listing import UNASSIGNED, Listing
from trainables.data.splits import LEFT_OUT, TEST, TRAIN, VAL, assign, joined


def listing(labels, splits=None, groups=None):
    n = len(labels)
    return Listing(
        keys=tuple(map(str, range(n))),
        classes=tuple(f"c{label}" for label in range(int(max(labels)) + 1)),
        labels=np.asarray(labels, np.int64),
        splits=np.full(n, UNASSIGNED, np.int8) if splits is None else np.asarray(splits, np.int8),
        groups=np.full(n, UNASSIGNED, np.int64) if groups is None else np.asarray(groups, np.int64),
    )


def split_of(labels, splits=None, groups=None, copies=None, **options):
    everything = np.ones(len(labels), bool)
    copies = None if copies is None else np.asarray(copies)
    return assign(listing(labels, splits, groups), everything, copies, **options)


def by_class(assignment, labels):
    return np.stack(
        [np.bincount(np.asarray(labels)[assignment.rows(s)], minlength=max(labels) + 1) for s in range(3)]
    )


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=8),
    shares=st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
    seed=st.integers(0, 5),
)
@settings(max_examples=100, deadline=None)
def test_each_class_has_its_share_of_each_split(counts, shares, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    found = by_class(split_of(labels, val_share=shares[0], test_share=shares[1], seed=seed), labels)
    assert (found.sum(axis=0) == counts).all()
    for images, (train, val, test) in zip(counts, found.T, strict=True):
        assert train >= 1
        if images >= 3:
            assert val >= 1
            assert test >= 1
        for share, given_ in zip(shares, (val, test), strict=True):
            assert given_ <= max(1, np.ceil(images * share))
            assert given_ >= min(np.floor(images * share), images - 2)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_group_and_no_copy_is_on_two_sides(data):
    n = data.draw(st.integers(10, 80))
    labels = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    groups = data.draw(st.lists(st.integers(-1, n // 4), min_size=n, max_size=n))
    copies = data.draw(st.lists(st.integers(0, n // 2), min_size=n, max_size=n))
    found = split_of(labels, groups=groups, copies=copies, seed=data.draw(st.integers(0, 3)))
    assert set(np.unique(found.splits)) <= {TRAIN, VAL, TEST}
    for column in (np.asarray(groups), np.asarray(copies)):
        for value in set(column.tolist()) - {UNASSIGNED}:
            assert len(set(found.splits[column == value].tolist())) == 1


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_clusters_are_what_groups_and_copies_connect(data):
    n = data.draw(st.integers(1, 40))
    groups = np.asarray(data.draw(st.lists(st.integers(-1, n // 3), min_size=n, max_size=n)))
    copies = np.asarray(data.draw(st.lists(st.integers(0, n), min_size=n, max_size=n)))
    linked = (copies[:, None] == copies) | ((groups[:, None] == groups) & (groups[:, None] >= 0))
    _, expected = connected_components(linked, directed=False)
    found = joined(copies, groups)
    assert np.array_equal(found[:, None] == found, expected[:, None] == expected)


def test_groups_are_stratified_about_as_well_as_scikit_learn_does_it():
    rng = np.random.default_rng(0)
    worse = []
    for _ in range(20):
        groups = rng.integers(0, 150, 1500)
        labels = (groups % 5 + (rng.random(1500) < 0.3) * rng.integers(0, 5, 1500)) % 5
        mine = split_of(labels, groups=groups, val_share=0.2, test_share=0.2)
        shares = np.bincount(labels) / len(labels)

        def unlike(rows, labels=labels, shares=shares):
            return float(np.abs(np.bincount(labels[rows], minlength=5) / len(rows) - shares).max())

        _, theirs = next(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(labels, labels, groups))
        worse.append(unlike(mine.rows(VAL)) - unlike(theirs))
        assert abs(len(mine.rows(VAL)) - 300) <= 15
        assert abs(len(mine.rows(TEST)) - 300) <= 15
    assert np.mean(worse) < 0.01


def test_a_seed_gives_the_same_split_and_another_another():
    labels = np.arange(200) % 4
    first = split_of(labels, seed=1).splits
    assert np.array_equal(first, split_of(labels, seed=1).splits)
    assert not np.array_equal(first, split_of(labels, seed=2).splits)


def test_what_the_source_has_put_somewhere_stays_there():
    labels = np.arange(100) % 2
    splits = np.repeat([TRAIN, VAL, TEST], [60, 20, 20])
    assert np.array_equal(split_of(labels, splits).splits, splits)
    no_val = np.repeat([TRAIN, TEST], [80, 20])
    found = split_of(labels, no_val, val_share=0.25).splits
    assert (found[80:] == TEST).all()
    assert (found[:80] == VAL).sum() == 20
    no_test = np.repeat([TRAIN, VAL, UNASSIGNED], [40, 20, 40])
    found = split_of(labels, no_test, test_share=0.2).splits
    assert (found[40:60] == VAL).all()
    assert (np.delete(found, np.s_[40:60]) == TEST).sum() == 16


def test_of_copies_that_face_each_other_the_one_to_learn_from_goes():
    labels = [0, 1, 0, 1, 0, 1, 0, 1]
    splits = [TRAIN, TRAIN, TRAIN, VAL, VAL, TEST, TEST, UNASSIGNED]
    copies = [0, 1, 2, 1, 3, 3, 0, 4]
    found = split_of(labels, splits, copies=copies)
    assert found.splits.tolist() == [LEFT_OUT, LEFT_OUT, TRAIN, VAL, LEFT_OUT, TEST, TEST, TRAIN]
    assert found.leaking.tolist() == [True, True, False, False, True, False, False, False]
    as_given = split_of(labels, splits)
    assert as_given.splits.tolist() == [TRAIN, TRAIN, TRAIN, VAL, VAL, TEST, TEST, TRAIN]


def test_what_cannot_be_read_is_nowhere_and_leaks_nothing():
    labels = np.arange(40) % 2
    splits = np.full(40, TRAIN)
    splits[30:] = TEST
    readable = np.ones(40, bool)
    readable[[3, 35]] = False
    copies = np.arange(40)
    copies[5] = copies[35]
    found = assign(listing(labels, splits), readable, copies, val_share=0.2)
    assert found.splits[[3, 35]].tolist() == [LEFT_OUT, LEFT_OUT]
    assert found.splits[5] in (TRAIN, VAL)
    assert not found.leaking.any()


@pytest.mark.parametrize(
    ("images", "expected"), [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (4, (2, 1, 1))]
)
def test_a_class_of_few_images_trains_first(images, expected):
    labels = [0] * 100 + [1] * images
    assert tuple(by_class(split_of(labels), labels)[:, 1]) == expected
