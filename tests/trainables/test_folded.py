"""Folds: each image judges once, a resumed trial equals an uninterrupted one, the first fold is the plain training."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import InputError
from tests.conftest import QUIET_CPU, is_clock, small_dataset
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.data import Dataset, Images, load_dataset
from trainables.data.folds import fold_of, with_folds
from trainables.folded import Folded, fold_seed
from trainables.material import prepare

PARAMS = {"strategy": "full", "strategy.full.lr": 1e-3}
FIXED = Fixed(
    model="test_resnet", pretrained=False, epochs=2, batch_size=8, repeats=1, warmup_epochs=0.5, **QUIET_CPU
)


@given(
    counts=st.lists(st.integers(5, 30), min_size=2, max_size=5),
    folds=st.integers(2, 5),
    grouped=st.booleans(),
    seed=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_each_image_judges_once_and_groups_stay_whole(counts, folds, grouped, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    clusters = np.arange(len(labels)) // 2 if grouped else np.arange(len(labels))
    found = fold_of(labels, clusters, folds, seed)
    assert set(found.tolist()) <= set(range(folds))
    for cluster in np.unique(clusters):
        assert len(set(found[clusters == cluster].tolist())) == 1
    if not grouped:
        for label, count in enumerate(counts):
            of = np.bincount(found[labels == label], minlength=folds)
            assert of.max() - of.min() <= 1, (label, count)


def pictures_of(images: Images) -> list[bytes]:
    return [picture.tobytes() for chunk in images.chunks(64) for picture in chunk]


def test_folds_are_of_train_and_val_alone():
    dataset = load_dataset("digits")
    folded = with_folds(dataset, folds=5, seed=1)
    everything = sorted(pictures_of(dataset.train) + pictures_of(dataset.val))
    judged = []
    for train, val in folded.folds:
        assert sorted(pictures_of(train) + pictures_of(val)) == everything
        assert len(val) == 120
        judged += pictures_of(val)
    assert sorted(judged) == everything
    assert folded.train is folded.folds[0][0]
    assert folded.val is folded.folds[0][1]
    assert folded.test is dataset.test
    again = with_folds(dataset, folds=5, seed=1)
    assert all(
        np.array_equal(a.rows, b.rows) for (_, a), (_, b) in zip(folded.folds, again.folds, strict=True)
    )
    other = with_folds(dataset, folds=5, seed=2)
    assert not np.array_equal(folded.folds[0][1].rows, other.folds[0][1].rows)


def test_holdouts_are_drawn_anew_with_the_data_sets_own_share():
    dataset = load_dataset("digits")
    folded = with_folds(dataset, holdouts=3)
    assert [len(val) for _, val in folded.folds] == [500, 500, 500]
    chosen = [frozenset(val.rows.tolist()) for _, val in folded.folds]
    assert len(set(chosen)) == 3
    for train, val in folded.folds:
        assert not set(train.rows.tolist()) & set(val.rows.tolist())
        assert np.bincount(train.labels).tolist() == [10] * 10


def test_pictures_are_shared_by_all_folds():
    material = prepare(with_folds(small_dataset(), folds=3), FIXED)
    arrays = {id(images.pixels) for pair in material.folds for images in pair}
    assert len(arrays) == 1
    size = len(pickle.dumps(material))
    assert size < 1.5 * material.train.pixels.nbytes + 20_000


def test_one_fold_is_the_data_set_itself_and_a_small_class_is_refused():
    dataset = small_dataset()
    assert with_folds(dataset) is dataset
    few = Images(np.zeros((7, 8, 8, 1), np.uint8), np.asarray([0, 0, 0, 0, 1, 1, 1]))
    rare = Dataset("rare", ("often", "rarely"), few, Images(few.pixels[:0], few.labels[:0]), few)
    with pytest.raises(InputError, match="for each of the 4 folds, but 'rarely' has 3"):
        with_folds(rare, folds=4)


def without_clocks(record):
    return record.epoch, record.score, {k: v for k, v in record.metrics.items() if not is_clock(k)}


def folded() -> Folded:
    return Folded(from_params, PARAMS, FIXED, 7, prepare(with_folds(small_dataset(), folds=3), FIXED))


def test_the_first_fold_is_the_plain_training_and_each_is_one_of_its_own():
    material = prepare(with_folds(small_dataset(), folds=3), FIXED)
    records = list(Folded(from_params, PARAMS, FIXED, 7, material).epochs())
    assert [record.epoch for record in records] == [1, 2, 3, 4, 5, 6]
    assert [record.metrics["fold"] for record in records] == [1, 1, 2, 2, 3, 3]
    for fold in range(3):
        alone = list(from_params(PARAMS, FIXED, fold_seed(7, fold), material.fold(fold)).epochs())
        assert [record.score for record in alone] == [
            record.score for record in records[2 * fold : 2 * fold + 2]
        ]
        losses = [record.metrics["train/loss"] for record in records[2 * fold : 2 * fold + 2]]
        assert [record.metrics["train/loss"] for record in alone] == losses


@pytest.mark.parametrize("stop", range(1, 7))
def test_a_resumed_trial_equals_an_uninterrupted_one(stop):
    whole = [without_clocks(record) for record in folded().epochs()]
    first = folded()
    seen = []
    for record in first.epochs():
        seen.append(without_clocks(record))
        if record.epoch == stop:
            state = first.state_dict()
            break
    second = folded()
    second.load_state_dict(state)
    seen += [without_clocks(record) for record in second.epochs()]
    assert seen == whole
    best, expected = second.state_dict()["best"]["folds"], None
    other = folded()
    list(other.epochs())
    expected = other.state_dict()["best"]["folds"]
    assert [one["score"] for one in best[:3]] == [one["score"] for one in expected[:3]]
    for one, another in zip(best[:3], expected[:3], strict=True):
        assert all(torch.equal(one["weights"][name], another["weights"][name]) for name in another["weights"])


def test_a_fold_that_ends_itself_ends_where_folds_end():
    fixed = FIXED.model_copy(
        update={
            "epochs": 4,
            "stopping": "patience",
            "options": {"stopping.patience.epochs": 1, "stopping.patience.improvement": 1.0},
        }
    )
    trial = Folded(from_params, PARAMS, fixed, 7, prepare(with_folds(small_dataset(), folds=2), fixed))
    records = list(trial.epochs())
    assert [record.epoch for record in records] == [1, 4, 5, 8]
    assert not any(record.ended for record in records)
