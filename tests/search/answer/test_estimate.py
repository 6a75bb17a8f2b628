import json

import numpy as np
import pytest
from scipy import stats

from search.answer.estimate import Estimate, compare, estimate
from search.answer.hits import Hits


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ([0.97, 0.98, 0.975], [0.95, 0.955, 0.952], "above"),
        ([0.95, 0.955, 0.952], [0.97, 0.98, 0.975], "below"),
        ([0.97, 0.95, 0.96], [0.95, 0.96, 0.96], "too close to tell"),
        ([0.972, 0.976, 0.974], [0.967, 0.974, 0.964], "too close to tell"),  # 1.96 errors would say above
        ([0.9, 0.9], [0.9, 0.9], "too close to tell"),
        ([0.99], [0.5], "too close to tell"),
    ],
)
def test_the_three_verdicts(first, second, verdict):
    assert compare(first, second).verdict == verdict


def test_the_interval_is_scipys_for_paired_differences():
    first, second = [0.91, 0.812, 0.709, 0.611], [0.90, 0.80, 0.70, 0.60]
    compared = compare(first, second)
    theirs = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert compared.value == pytest.approx(0.0105)
    assert compared.value - compared.margin == pytest.approx(theirs.low)
    assert compared.value + compared.margin == pytest.approx(theirs.high)


def test_nothing_is_compared_with_nothing_and_no_seed_is_dropped_silently():
    assert compare([], []) is None
    with pytest.raises(ValueError, match="zip"):
        compare([0.5, 0.6], [0.5])


def test_the_images_part_is_that_of_scipys_bootstrap():
    rng = np.random.default_rng(0)
    right = rng.random((3, 400)) < rng.random(400)
    found = estimate([0.5, 0.5, 0.5], [Hits(bytes(row.astype(np.uint8))) for row in right])
    theirs = stats.bootstrap((right.mean(0),), np.mean, rng=0)
    assert (found.images, found.by_seeds) == (400, 0.0)
    assert found.by_images == pytest.approx(theirs.standard_error, rel=0.03)
    assert found.margin == pytest.approx(np.diff(theirs.confidence_interval)[0] / 2, rel=0.04)


def test_what_several_networks_get_right_is_kept_as_text():
    hits = Hits.of([bytes([1, 0, 1, 0]), bytes([1, 1, 0, 0])])
    assert hits.accuracy == 0.5
    assert list(hits.shares) == [1.0, 0.5, 0.5, 0.0]
    assert Hits.from_noted(json.loads(json.dumps(hits.noted()))) == hits


def test_the_seeds_that_tell_are_the_fewest_whose_interval_would_not_have_zero():
    close = Estimate(0.004, 3, 0.003)
    told = close.seeds_that_tell
    assert close.verdict == "too close to tell"
    again = [Estimate(0.004, n, 0.003 * (3 / n) ** 0.5) for n in (told - 1, told)]
    assert [one.verdict for one in again] == ["too close to tell", "above"]
    assert Estimate(0.004, 3, 0.003, 500, 0.003).seeds_that_tell is None
    assert Estimate(0.004, 3, 0.003, 500, 0.003).images_that_tell == 1081  # 500 · (1.96 · 0.003 / 0.004)²
    assert close.images_that_tell is None
    assert Estimate(0.1, 1, None).seeds_that_tell is None


def measured(rng, easiness, seed_effect, seeds):
    """Hits [seeds] of one recipe: which images are easy is shared, and each seed has luck of its own."""
    logits = easiness + 3 + seed_effect * rng.normal(size=(seeds, 1))
    right = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    return [Hits(bytes(row.astype(np.uint8))) for row in right]


@pytest.mark.parametrize("seed_effect", [0.05, 0.5])
@pytest.mark.parametrize("images", [60, 600])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_intervals_cover_the_truth_at_least_as_often_as_they_claim(seeds, images, seed_effect):
    """Of equal recipes, over seeds and test images drawn anew each time; and of an accuracy itself."""
    rng, studies = np.random.default_rng(seeds * images), 400
    everything = 3 * rng.normal(size=200_000) + 3 + seed_effect * rng.normal(size=200_000)
    truth = (1 / (1 + np.exp(-everything))).mean()
    of_difference = of_accuracy = 0
    for _ in range(studies):
        easiness = 3 * rng.normal(size=images)
        ours, theirs = (measured(rng, easiness, seed_effect, seeds) for _ in range(2))
        accuracies = [[one.accuracy for one in each] for each in (ours, theirs)]
        difference = compare(*accuracies, ours, theirs)
        accuracy = estimate(accuracies[0], ours)
        of_difference += abs(difference.value) <= difference.margin
        of_accuracy += abs(accuracy.value - truth) <= accuracy.margin
    chance = 2 * (0.95 * 0.05 / studies) ** 0.5
    assert of_difference / studies >= 0.95 - chance
    assert of_accuracy / studies >= 0.95 - chance
