"""What changing one thing does: intervals that hold together, and words for them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from search.answer.changes import Change, margins
from search.answer.changes import _inverse_trigamma as inverse_trigamma


def rows_of(table) -> list[dict[int, float]]:
    return [dict(enumerate(map(float, row))) for row in table]


def test_with_one_variance_for_all_the_margin_is_that_of_a_two_way_layout():
    """By hand: residuals of rows and columns, their mean square, Student's quantile for two comparisons."""
    table = np.array([[1.0, 2.6, 3.0], [1.5, 2.1, 3.9], [0.0, 1.3, 1.7]])
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    square = (rest**2).sum() / 4  # (3 − 1) recipes × (3 − 1) seeds
    by_row = (rest**2).sum(1) / (4 / 3)
    assert np.log(by_row).var(ddof=1) < 2  # too alike to tell apart: the common variance counts
    quantile = stats.t.ppf(1 - 0.05 / 2 / 2, 4)
    expected = [quantile * math.sqrt((max(by_row[i], square) + max(by_row[0], square)) / 3) for i in (1, 2)]
    center, *rows = rows_of(table)
    assert margins(center, rows) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("recipes", "seeds", "spreads"),
    [(20, 3, {}), (20, 2, {}), (8, 5, {}), (1, 3, {}), (20, 3, {1: 4.0, 2: 4.0}), (40, 5, {1: 4.0})],
)
def test_all_intervals_of_a_perturbation_hold_at_once_nineteen_times_of_twenty(recipes, seeds, spreads):
    """Also where some recipes' scores spread more than the others'."""
    rng = np.random.default_rng([recipes, seeds, len(spreads)])
    deviation = np.ones((recipes + 1, 1))
    for row, spread in spreads.items():
        deviation[row] = spread
    missed = 0
    studies = 400 if recipes < 40 else 150
    for _ in range(studies):
        table = rng.normal(size=(recipes + 1, seeds)) * deviation + 2 * rng.normal(size=seeds)
        center, *rows = rows_of(table)
        effects = table[1:].mean(1) - table[0].mean()
        found = margins(center, rows)
        missed += any(abs(effect) > margin for effect, margin in zip(effects, found, strict=True))
    assert missed / studies <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / studies)


def test_many_recipes_tell_the_spread_that_three_seeds_alone_do_not():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(21, 3))
    center, *rows = rows_of(table)
    alone = [
        stats.t.ppf(1 - 0.05 / 40, 2) * np.std(row - table[0], ddof=1) / math.sqrt(3) for row in table[1:]
    ]
    assert np.median(margins(center, rows)) < np.median(alone) / 3


def test_missing_trainings_and_too_few_of_them():
    center = {1: 0.5, 2: 0.6, 3: 0.55}
    one, none, whole = {1: 0.5}, {}, {1: 0.4, 2: 0.52, 3: 0.44}
    single, nothing, full = margins(center, [one, none, whole])
    assert nothing is None
    assert single > full > 0
    assert margins({1: 0.5}, [{1: 0.4}, {1: 0.6}]) == [None, None]  # one seed: nothing tells the spread
    assert margins({1: 0.5}, []) == []
    equal = {1: 0.5, 2: 0.5}
    assert margins(equal, [equal]) == pytest.approx([0.0], abs=1e-9)


def test_inverse_trigamma():
    from scipy.special import polygamma

    for value in (1e-3, 0.1, 1.0, 3.0, 50.0):
        assert float(polygamma(1, inverse_trigamma(value))) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    ("effect", "margin", "failed", "verdict"),
    [
        (0.02, 0.01, 0, "better"),
        (-0.02, 0.01, 0, "worse"),
        (0.01, 0.01, 0, "too close to tell"),
        (1e-17, 0.0, 0, "too close to tell"),
        (0.5, None, 0, "too close to tell"),
        (None, None, 3, "fails"),
        (-0.5, 0.1, 2, "fails"),
        (None, None, 0, ""),
    ],
)
def test_verdicts(effect, margin, failed, verdict):
    scores = {} if effect is None else {1: 0.5}
    change = Change("lr", 0.1, 0.2, {"lr": 0.2}, scores, failed, effect, margin)
    assert change.verdict == verdict
