import json
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from trainables.report import MOST_CLASSES, detailed, headline

NAMES = ("a", "b", "c", "d")


def scores(images: int, classes: int, seed: int, ties: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, generator=rng)
    return (logits.round() if ties else logits), torch.randint(classes, (images,), generator=rng)


@settings(deadline=None, max_examples=40)
@given(images=st.integers(2, 60), seed=st.integers(0, 10**6), ties=st.booleans())
def test_every_figure_is_scikit_learns(images, seed, ties):
    logits, labels = scores(images, 4, seed, ties)
    report = detailed(logits, labels, NAMES)
    truth, guess = labels.numpy(), logits.argmax(1).numpy()
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, guess, labels=range(4), zero_division=0
    )
    for index, name in enumerate(NAMES):
        one = report["per_class"][name]
        assert one["precision"] == pytest.approx(precision[index])
        assert one["recall"] == pytest.approx(recall[index])
        assert one["f1"] == pytest.approx(f1[index])
        assert one["support"] == support[index]
        is_one = truth == index
        if 0 < is_one.sum() < images:
            area = roc_auc_score(is_one, logits.double().softmax(1)[:, index].numpy())
            assert one["auroc"] == pytest.approx(area)
        else:
            assert one["auroc"] is None
    assert report["f1"] == pytest.approx(f1[support > 0].mean())
    assert report["confusion"] == confusion_matrix(truth, guess, labels=range(4)).tolist()
    assert report["accuracy"] == pytest.approx((truth == guess).mean())


def test_a_report_by_hand():
    """Four images of two classes; the third is wrong."""
    probabilities = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    report = detailed(probabilities.log(), torch.tensor([0, 0, 1, 1]), ("cat", "dog"))
    assert report["accuracy"] == 0.75
    assert report["confusion"] == [[2, 0], [1, 1]]
    assert report["per_class"]["cat"] == {
        "precision": pytest.approx(2 / 3), "recall": 1.0, "f1": 0.8, "auroc": 1.0, "support": 2
    }  # fmt: skip
    assert report["per_class"]["dog"]["recall"] == 0.5
    assert report["top5"] == 1.0
    assert report["loss"] == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.7]).mean())


def test_top5_counts_the_five_best():
    logits = torch.arange(10.0).repeat(10, 1)
    report = detailed(logits, torch.arange(10), [str(digit) for digit in range(10)])
    assert report["top5"] == 0.5


def test_classes_that_a_split_lacks_do_not_count_and_do_not_warn():
    logits, labels = scores(30, 6, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = detailed(logits, labels % 2, [str(index) for index in range(6)])
    assert report["per_class"]["5"]["support"] == 0
    assert report["per_class"]["5"]["auroc"] is None
    present = [report["per_class"][name]["recall"] for name in ("0", "1")]
    assert report["recall"] == pytest.approx(sum(present) / 2)


def test_logits_that_are_not_finite_make_a_report_without_what_cannot_be_known():
    logits, labels = scores(8, 4, 0)
    logits[0, 0] = float("nan")
    report = detailed(logits, labels, NAMES)
    assert report["auroc"] is None
    assert report["loss"] == math.inf
    assert "final/loss" not in headline(report)
    assert "final/accuracy" in headline(report)


def test_a_report_is_plain_data_and_its_headline_is_eight_numbers():
    logits, labels = scores(20, 4, 1)
    report = detailed(logits, labels, NAMES)
    assert json.loads(json.dumps(report)) == report
    assert set(headline(report)) == {
        f"final/{name}" for name in ("accuracy", "top5", "f1", "precision", "recall", "auroc", "ece", "loss")
    }
    assert headline({}) == {}


def test_a_confusion_matrix_of_a_thousand_classes_is_left_out():
    classes = MOST_CLASSES + 1
    logits, labels = scores(300, classes, 0)
    report = detailed(logits, labels, [str(index) for index in range(classes)])
    assert report["confusion"] is None
    assert len(report["per_class"]) == classes
