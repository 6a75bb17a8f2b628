"""The scale on which a forecast is made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from search.forecast.levels import RANKED, Levels

SCORES = arrays(
    np.float64, st.integers(2, 60), elements=st.integers(-1000, 1000).map(lambda value: value / 8)
)
RANKS = st.sampled_from([0.0, RANKED, 0.9])


@given(SCORES, RANKS)
def test_levels_have_mean_0_and_spread_1_and_keep_the_order(scores, ranked):
    leveled = Levels(scores, ranked).leveled
    assert leveled.mean() == pytest.approx(0, abs=1e-9)
    assert leveled.std() == pytest.approx(0 if np.ptp(leveled) == 0 else 1)
    order = np.argsort(scores, kind="stable")
    assert (np.diff(leveled[order]) >= 0).all()
    for score in np.unique(scores):
        assert np.ptp(leveled[scores == score]) == 0


@given(SCORES, RANKS)
def test_levels_become_the_scores_again_but_for_those_far_below_the_others(scores, ranked):
    levels = Levels(scores, ranked)
    low, high = np.quantile(scores, 0.1), scores.max()
    moved = np.maximum(scores, low - 0.3 * (high - low))
    assert np.allclose(levels.in_scores(levels.leveled), moved, atol=1e-6)
    further = np.linspace(-5, 5, 41)
    assert (np.diff(levels.in_scores(further)) >= 0).all()


@given(SCORES, RANKS, st.floats(0.1, 100), st.floats(-100, 100))
def test_the_scale_of_scores_makes_no_difference(scores, ranked, factor, shift):
    assert np.allclose(
        Levels(factor * scores + shift, ranked).leveled, Levels(scores, ranked).leveled, atol=1e-5
    )


def test_without_ranks_levels_are_the_scores_own_distances():
    scores = np.array([0.5, 0.55, 0.6, 0.61, 0.7])
    levels = Levels(scores, 0.0)
    assert np.allclose(levels.leveled, (scores - scores.mean()) / scores.std())
    assert levels.in_scores(np.array([3.0, -4.0])) == pytest.approx(
        [scores.mean() + 3 * scores.std(), scores.mean() - 4 * scores.std()]
    )


def test_ranks_keep_good_scores_apart_that_differ_little():
    """Where most of the spread is that of early epochs."""
    scores = np.concatenate([np.linspace(0.1, 0.8, 40), np.linspace(0.97, 0.98, 20)])
    apart = [np.ptp(Levels(scores, ranked).leveled[-20:]) for ranked in (0.0, RANKED)]
    assert apart[0] < 0.05
    assert apart[1] > 10 * apart[0]


def test_beyond_the_best_levels_rise_as_in_the_upper_half():
    scores = np.linspace(0, 1, 11)
    levels = Levels(scores, RANKED)
    upper = (1 - 0.5) / (levels.leveled[-1] - levels.leveled[5])
    assert levels.in_scores(levels.leveled[-1:] + 2.0) == pytest.approx(1 + 2 * upper)


def test_one_score_alone_is_level_0():
    assert Levels(np.array([0.7])).leveled == pytest.approx([0.0])
    assert not Levels(np.full(60, 12345.678)).leveled.any()
    assert Levels(np.array([0.7, 0.7])).in_scores(np.array([-1.0, 0.0, 2.0])) == pytest.approx([0.7] * 3)
