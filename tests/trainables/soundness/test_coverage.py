import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.soundness.coverage import Point, coverage


def two_classes(*images: tuple[float, bool]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of images that are guessed 0 with a confidence, and labels by which that is right or not."""
    logits = torch.tensor([[math.log(p), math.log(1 - p)] for p, _ in images], dtype=torch.float64)
    return logits, torch.tensor([0 if right else 1 for _, right in images])


def test_a_curve_worked_by_hand():
    found = coverage(*two_classes((0.6, False), (0.9, True), (0.8, False), (0.7, True)))
    assert [point.coverage for point in found.points] == [0.25, 0.5, 0.75, 1.0]
    assert [point.accuracy for point in found.points] == [1, 0.5, 2 / 3, 0.5]
    assert [point.threshold for point in found.points] == pytest.approx([0.9, 0.8, 0.7, 0.6])
    # Risks 0, 1/2, 1/3, 1/2; the best order has 0, 0, 1/3, 1/2.
    assert found.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert found.excess_aurc == pytest.approx((1 / 2) / 4)


def test_images_of_equal_confidence_are_accepted_together():
    found = coverage(*two_classes((0.9, True), (0.9, False), (0.6, True)))
    assert [(point.coverage, point.accuracy) for point in found.points] == [(2 / 3, 0.5), (1.0, 2 / 3)]


IMAGES = st.lists(st.tuples(st.sampled_from([0.6, 0.75, 0.9]), st.booleans()), min_size=1, max_size=6)


@given(IMAGES)
def test_areas_are_means_over_all_orders_of_equal_confidence(images):
    areas = []
    for order in itertools.permutations(images):
        if all(one[0] >= other[0] for one, other in itertools.pairwise(order)):
            errors = list(itertools.accumulate(not right for _, right in order))
            areas.append(sum(wrong / (k + 1) for k, wrong in enumerate(errors)) / len(images))
    wrong = sum(not right for _, right in images)
    right = len(images) - wrong
    best = sum(max(0, k - right) / k for k in range(1, len(images) + 1)) / len(images)
    found = coverage(*two_classes(*images))
    assert found.aurc == pytest.approx(sum(areas) / len(areas))
    assert found.excess_aurc == pytest.approx(found.aurc - best, abs=1e-12)


@given(IMAGES, st.sampled_from([0.2, 0.5, 2 / 3, 0.75, 1.0]))
def test_the_threshold_is_the_smallest_that_reaches_the_accuracy(images, wanted):
    found = coverage(*two_classes(*images))
    best = None
    for threshold in {confidence for confidence, _ in images}:
        accepted = [right for confidence, right in images if confidence >= threshold]
        if sum(accepted) / len(accepted) >= wanted and (best is None or threshold < best[0]):
            best = threshold, len(accepted) / len(images), sum(accepted) / len(accepted)
    point = found.threshold_for(wanted)
    if best is None:
        assert point is None
    else:
        assert (point.threshold, point.coverage, point.accuracy) == pytest.approx(best)


def test_an_order_that_is_perfect_has_no_excess():
    found = coverage(*two_classes((0.9, True), (0.8, True), (0.6, False)))
    assert found.excess_aurc == 0
    assert found.aurc == pytest.approx(1 / 9)


def test_a_threshold_of_one_split_tells_what_it_accepts_of_another():
    chosen = coverage(*two_classes((0.9, True), (0.7, True), (0.6, False))).threshold_for(1.0)
    assert chosen.threshold == pytest.approx(0.7)
    other = coverage(*two_classes((0.95, True), (0.8, False), (0.65, True)))
    assert other.at(chosen.threshold) == Point(2 / 3, 0.5, other.points[1].threshold)
    assert other.at(0.99) is None
    assert other.at(0.0) == other.points[-1]


@pytest.mark.parametrize("accuracy", [0.0, -0.1, 1.01, math.nan])
def test_an_accuracy_is_a_share(accuracy):
    found = coverage(*two_classes((0.9, True)))
    with pytest.raises(ValueError, match="the accuracy must be above 0 and at most 1, but got"):
        found.threshold_for(accuracy)
