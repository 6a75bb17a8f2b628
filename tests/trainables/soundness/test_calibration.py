import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.metrics import brier_score_loss, log_loss
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_calibration_error

from trainables.evaluation import calibration_error
from trainables.soundness.calibration import (
    COLDEST,
    HOTTEST,
    calibrate,
    classwise_calibration_error,
    even_calibration_error,
    figures,
    fit_temperature,
    reliability,
)


def planted(images: int, classes: int, factor: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are `factor` times those by which the labels were drawn."""
    generator = torch.Generator().manual_seed(seed)
    true = torch.randn(images, classes, generator=generator) * 2
    labels = torch.multinomial(true.softmax(1), 1, generator=generator)[:, 0]
    return true * factor, labels


def logits_for(*probabilities: list[float]) -> torch.Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


# --- reliability ---------------------------------------------------------------------------------------


def test_a_diagram_worked_by_hand():
    # Bins of width 1/5. Confidence 0.9 (one right, one wrong) and 0.5 (one right).
    found = reliability(logits_for([0.9, 0.1], [0.9, 0.1], [0.5, 0.5]), torch.tensor([0, 1, 0]), bins=5)
    assert [one.count for one in found.bins] == [0, 0, 1, 0, 2]
    assert [(one.lower, one.upper) for one in found.bins[1:3]] == [(0.2, 0.4), (0.4, 0.6)]
    assert found.bins[0].confidence is None
    assert found.bins[0].accuracy is None
    assert found.bins[2].accuracy == 1
    assert found.bins[4].confidence == pytest.approx(0.9)
    assert found.bins[4].accuracy == 0.5
    assert found.ece == pytest.approx(13 / 30)
    assert found.mce == pytest.approx(0.5)


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("bins", [5, 15, 40])
def test_errors_agree_with_torchmetrics_and_with_the_score_of_a_trial(classes, bins):
    logits, labels = planted(700, classes, 1.5, seed=classes)
    found = reliability(logits, labels, bins)
    assert found.ece == calibration_error(logits.softmax(1), labels, bins)
    for norm, ours in (("l1", found.ece), ("max", found.mce)):
        theirs = multiclass_calibration_error(
            logits.softmax(1), labels, num_classes=classes, n_bins=bins, norm=norm
        )
        assert ours == pytest.approx(float(theirs), abs=1e-6)


def test_the_bins_add_up_to_the_error():
    logits, labels = planted(500, 5, 2.0, seed=0)
    found = reliability(logits, labels)
    gaps = [one.count * abs(one.accuracy - one.confidence) for one in found.bins if one.count]
    assert sum(one.count for one in found.bins) == 500
    assert sum(gaps) / 500 == pytest.approx(found.ece, abs=1e-6)


# --- other errors --------------------------------------------------------------------------------------


def test_an_even_error_worked_by_hand():
    # Two bins of two: 0.6 and 0.7, one right: |1 − 1.3| = 0.3; 0.8 and 0.9, both right: |2 − 1.7| = 0.3.
    logits = logits_for([0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3])
    assert even_calibration_error(logits, torch.tensor([0, 0, 0, 1]), bins=2) == pytest.approx(0.6 / 4)


def test_an_even_error_sees_what_equal_widths_cancel():
    # All above 14/15, so one bin of equal width, in which too sure and too unsure cancel.
    logits = torch.cat([logits_for([0.9999, 0.0001]).repeat(100, 1), logits_for([0.94, 0.06]).repeat(100, 1)])
    labels = torch.tensor([0] * 94 + [1] * 6 + [0] * 100)
    assert reliability(logits, labels).ece < 0.001
    assert even_calibration_error(logits, labels, bins=10) == pytest.approx(0.06, abs=0.001)


def test_an_even_error_does_not_depend_on_the_order_of_images():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randint(4, (203, 3), generator=generator).float()  # few values: many equal confidences
    labels = torch.randint(3, (203,), generator=generator)
    order = torch.randperm(203, generator=generator)
    there = even_calibration_error(logits, labels)
    assert even_calibration_error(logits[order], labels[order]) == pytest.approx(there, abs=1e-12)


def test_a_classwise_error_worked_by_hand():
    # One bin: |Σ p_k − count_k| / N for each class: |1.1 − 1| / 2 and |0.6 − 1| / 2 and |0.3 − 0| / 2.
    logits = logits_for([0.7, 0.2, 0.1], [0.4, 0.4, 0.2])
    assert classwise_calibration_error(logits, torch.tensor([0, 1]), bins=1) == pytest.approx(0.4 / 3)


def test_a_bin_of_a_classwise_error_holds_its_upper_edge():
    logits = logits_for([0.5, 0.25, 0.25], [0.7, 0.2, 0.1])
    assert logits.softmax(1)[0, 0] == 0.5
    # Two bins. Gaps of class 0: 0.5 below and -0.7 above; of class 1: 0.55 below; of class 2: -0.35 below.
    assert classwise_calibration_error(logits, torch.tensor([0, 1]), bins=2) == pytest.approx(2.1 / 6)


def test_a_classwise_error_agrees_with_a_loop():
    logits, labels = planted(300, 4, 2.0, seed=1)
    probabilities, bins, total = logits.double().softmax(1).numpy(), 15, 0.0
    for index in range(4):
        place = np.clip(np.ceil(probabilities[:, index] * bins) - 1, 0, bins - 1)
        for one in range(bins):
            inside = place == one
            if inside.any():
                share = (labels.numpy()[inside] == index).mean()
                total += inside.mean() * abs(share - probabilities[inside, index].mean())
    assert classwise_calibration_error(logits, labels) == pytest.approx(total / 4)


@pytest.mark.parametrize("measure", [reliability, even_calibration_error, classwise_calibration_error])
def test_a_diagram_has_a_bin(measure):
    with pytest.raises(ValueError, match="bins must be at least 1, but got 0"):
        measure(torch.zeros(2, 2), torch.tensor([0, 1]), bins=0)


def test_likelihood_and_brier_agree_with_scikit_learn():
    logits, labels = planted(300, 4, 2.0, seed=2)
    found, probabilities = figures(logits, labels), logits.double().softmax(1).numpy()
    assert found.nll == pytest.approx(log_loss(labels.numpy(), probabilities))
    theirs = brier_score_loss(labels.numpy(), probabilities, labels=[0, 1, 2, 3], scale_by_half=False)
    assert found.brier == pytest.approx(theirs)


# --- temperature ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.3, 1.0, 3.0])
def test_a_planted_temperature_is_found(factor):
    logits, labels = planted(20_000, 5, factor, seed=3)
    assert fit_temperature(logits, labels) == pytest.approx(factor, rel=0.04)


@pytest.mark.parametrize(("images", "classes", "factor"), [(40, 2, 2.0), (500, 10, 5.0), (9000, 3, 0.2)])
def test_the_temperature_is_the_minimum_that_scipy_finds(images, classes, factor):
    logits, labels = planted(images, classes, factor, seed=images)
    answer = minimize_scalar(
        lambda log_t: float(functional.cross_entropy(logits.double() / math.exp(log_t), labels)),
        bounds=(math.log(COLDEST), math.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert fit_temperature(logits, labels) == pytest.approx(math.exp(answer.x), rel=1e-5)


@given(scale=st.floats(0.2, 4.0), seed=st.integers(0, 5))
@settings(max_examples=20)
def test_logits_that_are_larger_need_as_much_more_temperature(scale, seed):
    logits, labels = planted(200, 3, 1.0, seed)
    once = fit_temperature(logits.double(), labels)
    assert fit_temperature(logits.double() * scale, labels) == pytest.approx(once * scale, rel=1e-8)


@pytest.mark.parametrize("size", [1e-3, 1.0, 100.0])
def test_what_is_right_by_a_margin_is_made_as_sure_as_may_be(size):
    logits = torch.eye(3) * size
    assert fit_temperature(logits, torch.tensor([0, 1, 2])) == COLDEST


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_what_is_wrong_by_a_margin_is_made_as_unsure_as_may_be(size):
    logits = torch.eye(3) * size
    assert fit_temperature(logits, torch.tensor([1, 2, 0])) == HOTTEST


def test_what_no_temperature_changes_is_left_alone():
    assert fit_temperature(torch.ones(4, 3), torch.tensor([0, 1, 2, 0])) == 1
    assert fit_temperature(torch.randn(4, 1), torch.zeros(4, dtype=torch.int64)) == 1


def test_one_wild_image_does_not_keep_the_fit_from_its_minimum():
    logits, labels = planted(300, 3, 1.0, seed=4)
    logits[0] = torch.tensor([3e4, 0.0, 0.0])  # sure as can be, and right
    labels[0] = 0
    rest = fit_temperature(logits[1:], labels[1:])
    assert fit_temperature(logits, labels) == pytest.approx(rest, rel=1e-6)


def test_a_temperature_needs_finite_logits():
    with pytest.raises(ValueError, match="logits must be finite"):
        fit_temperature(torch.tensor([[torch.nan, 0.0]]), torch.tensor([0]))


# --- before and after ----------------------------------------------------------------------------------


def test_a_network_that_is_too_sure_is_mended_on_images_it_was_not_fitted_on():
    logits, labels = planted(6000, 5, 3.0, seed=5)
    found = calibrate(logits[:3000], labels[:3000], logits[3000:], labels[3000:])
    assert found.temperature == pytest.approx(fit_temperature(logits[:3000], labels[:3000]))
    assert found.accuracy == float((logits[3000:].argmax(1) == labels[3000:]).double().mean())
    assert found.before == figures(logits[3000:], labels[3000:])
    assert found.after.nll < found.before.nll - 0.1
    assert found.after.brier < found.before.brier
    for name in ("even_error", "classwise_error"):
        assert getattr(found.after, name) < getattr(found.before, name) / 2
    assert found.after.reliability.ece < 0.03 < 0.1 < found.before.reliability.ece
    right = [
        sum((one.accuracy or 0) * one.count for one in each.reliability.bins)
        for each in (found.before, found.after)
    ]
    assert right == pytest.approx([found.accuracy * 3000] * 2)
