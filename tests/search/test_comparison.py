import pytest
from scipy import stats

from search.comparison import compare


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
    assert compared.difference == pytest.approx(0.0105)
    assert compared.difference - compared.margin == pytest.approx(theirs.low)
    assert compared.difference + compared.margin == pytest.approx(theirs.high)


def test_nothing_is_compared_with_nothing_and_no_seed_is_dropped_silently():
    assert compare([], []) is None
    with pytest.raises(ValueError, match="zip"):
        compare([0.5, 0.6], [0.5])


def test_the_interval_covers_the_truth_as_often_as_it_claims():
    import numpy as np

    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        noise = rng.normal(0, 0.01, (2, 3))
        compared = compare(list(0.96 + noise[0]), list(0.95 + noise[1]))
        covered += abs(compared.difference - 0.01) <= compared.margin
    assert covered / 400 == pytest.approx(0.95, abs=0.03)
