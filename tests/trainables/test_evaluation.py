import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from trainables.evaluation import calibration_error, score_logits


def test_calibration_error_of_a_hand_worked_example():
    # Bins of width 1/5. Confidence 0.9 (one right, one wrong) and 0.5 (one right):
    # 2/3 · |0.5 − 0.9| + 1/3 · |1 − 0.5| = 13/30.
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5]])
    assert calibration_error(probabilities, torch.tensor([0, 1, 0]), bins=5) == pytest.approx(13 / 30)


@pytest.mark.parametrize("classes", [2, 10])
def test_calibration_error_agrees_with_torchmetrics(classes):
    generator = torch.Generator().manual_seed(classes)
    probabilities = torch.randn(500, classes, generator=generator).mul(2).softmax(1)
    labels = torch.randint(classes, (500,), generator=generator)
    theirs = multiclass_calibration_error(probabilities, labels, num_classes=classes, n_bins=15)
    assert calibration_error(probabilities, labels) == pytest.approx(float(theirs), abs=1e-6)


def test_scores_of_known_logits():
    logits = torch.tensor([[10.0, -10.0], [10.0, -10.0]])
    scores = score_logits(logits, torch.tensor([0, 1]))
    assert scores["accuracy"] == 0.5
    assert scores["loss"] == pytest.approx(10.0, abs=1e-4)
    assert scores["ece"] == pytest.approx(0.5, abs=1e-4)


def test_logits_that_are_not_finite_are_the_worst_loss():
    scores = score_logits(torch.tensor([[float("nan"), 0.0]]), torch.tensor([0]))
    assert scores["loss"] == float("inf")
