"""Statistics and sentences of a comparison, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from search.comparison.entry import read, seeds_for
from search.view.comparison import further
from tests.search.comparison.parts import compared

A = [0.91, 0.902, 0.915, 0.899, 0.907]
B = [0.931, 0.918, 0.929, 0.921, 0.922]


def made(store, first, second, **more):
    compared(store, [first, second], **more)
    return read(store, "two")


def test_the_interval_is_that_of_scipys_paired_t(store):
    comparison = made(store, A, B)
    theirs = stats.ttest_rel(B, A)
    low, high = theirs.confidence_interval(0.95)
    found = comparison.difference
    assert found.value == pytest.approx(np.mean(np.subtract(B, A)))
    assert (found.value - found.margin, found.value + found.margin) == pytest.approx((low, high))
    assert theirs.pvalue < 0.05
    assert comparison.better == "B"
    assert comparison.controlled
    assert comparison.verdict == (
        f"B is better by {found.value:.4f} ± {found.margin:.4f} (95 % interval, paired by seed, n = 5)."
    )
    assert list(comparison.first.scores) == seeds_for(5)


def test_a_change_for_the_worse(store):
    comparison = made(store, B, A)
    assert comparison.better == "A"
    assert comparison.difference.value < 0
    assert comparison.verdict.startswith("A is better by 0.0")


def test_what_cannot_be_told_says_how_many_seeds_would(store):
    second = [0.913, 0.900, 0.921, 0.901, 0.906]
    comparison = made(store, A, second)
    assert stats.ttest_rel(second, A).pvalue > 0.05
    assert comparison.better is None
    needed = comparison.difference.seeds_that_tell
    said = comparison.verdict
    assert said.startswith("A and B cannot be told apart with 5 seeds: B − A is +0.0016 ± 0.00")
    assert said.endswith(f"{needed} seeds would tell a difference of this size.")
    # As many seeds of the same spread leave zero out, and one fewer does not.
    spread = np.std(np.subtract(second, A), ddof=1)
    value = comparison.difference.value
    for seeds, tells in ((needed, True), (needed - 1, False)):
        assert (stats.t.ppf(0.975, seeds - 1) * spread / np.sqrt(seeds) < value) == tells


def test_one_seed_and_no_difference(store):
    assert (
        "With a single seed A and B cannot be told apart: B − A is +0.0200"
        in made(store, [0.9], [0.92]).verdict
    )


def test_no_difference_at_all(store):
    assert (
        made(store, A, A).verdict
        == "A and B cannot be told apart with 5 seeds: no difference was seen at all."
    )


def test_differences_that_cancel_are_differences(store):
    comparison = made(store, [0.978, 0.976, 0.974], [0.976, 0.974, 0.978])
    assert comparison.better is None
    assert "B − A is +0.0000 ± 0.0086" in comparison.verdict
    assert comparison.verdict.endswith("even 1000 seeds would not tell a difference of this size.")


def test_seeds_that_failed_are_left_out_and_told(store):
    comparison = made(store, A, [0.931, None, 0.929, 0.921, 0.922])
    assert len(comparison.paired) == 4
    kept = [0, 2, 3, 4]
    theirs = stats.ttest_rel([0.931, 0.929, 0.921, 0.922], [A[i] for i in kept]).confidence_interval(0.95)
    found = comparison.difference
    assert found.value - found.margin == pytest.approx(theirs.low)
    assert "B failed with 1 of 5 seeds, which the difference leaves out" in further(comparison)[0]


def test_one_that_always_fails_is_worse(store):
    comparison = made(store, [0.9, 0.91], [None, None])
    assert comparison.verdict == "B fails with 2 of 2 seeds, A with none: A is better."
    assert comparison.better == "A"
    assert comparison.difference is None


def test_luck_on_the_few_seeds_that_did_not_fail_makes_nobody_better(store):
    comparison = made(store, A, [None, None, 0.99, None, 0.98])
    assert comparison.difference.verdict == "above"
    assert comparison.better == "A"
    assert "B fails with 3 of 5 seeds, A with none" in comparison.verdict


def test_seconds_are_compared_as_a_ratio(store):
    comparison = made(store, A, B, seconds=(2.0, 3.0))
    ratio = comparison.ratio
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.5, 1.5, 1.5))


def test_it_is_plain_data(store):
    data = made(store, A, B).to_dict()
    assert data["differences"][0]["name"] == "strategy.full.lr"
    assert data["difference"]["seeds"] == 5
    assert list(data["A"]["scores"].values()) == A
