"""Made-up curves are what they are said to be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from search.simulation import simulate
from search.simulation.families import FAMILIES, MadeUp, made_up


def sample(name, count=400):
    task = made_up(name)
    points = task.curve.encoding.draw(np.random.default_rng(0), count)
    return task, points, task.curve.truth(points)


def early_rank(name, share=0.1):
    """Rank correlation of scores at a share of the budget with those at its end."""
    task, _, scores = sample(name)
    scores = scores[~np.isnan(scores).any(axis=1)]
    return spearmanr(scores[:, max(0, int(task.max_epochs * share) - 1)], scores[:, -1])[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_a_task_whose_best_is_known(name):
    task, points, truth = sample(name)
    best = np.nan_to_num(truth, nan=-np.inf).max(axis=1)
    assert best.max() <= task.best + 1e-9
    assert 0.35 < np.mean([task.regret(score) > 1 for score in best]) < 0.65  # the median recipe's is 1
    assert 0.02 < task.regret(np.sort(best)[-4]) < 0.7  # good recipes are rare, and there
    scores, seconds = task.curve(task.curve.encoding.decode(points[0]))
    assert scores.shape == seconds.shape == (task.max_epochs,)
    assert np.allclose(scores, truth[0], atol=6 * FAMILIES[name].noise + 1e-6, equal_nan=True)
    again, _ = task.curve(task.curve.encoding.decode(points[0]))
    assert np.array_equal(scores, again, equal_nan=True)


def test_crossing_and_misleading_curves_are_harder_to_read_early():
    assert early_rank("crossing") < early_rank("smooth") - 0.15
    assert early_rank("misleading") < early_rank("smooth") - 0.15
    assert early_rank("smooth", 0.5) > 0.9


def test_a_share_of_the_recipes_diverges_where_it_is_said():
    _, points, scores = sample("diverging")
    lost = np.isnan(scores).any(axis=1)
    assert 0.15 < lost.mean() < 0.35
    assert points[lost][:, 0].min() > 0.75
    assert not np.isnan(scores[:, :2]).any()


def test_another_seed_is_another_landscape():
    kind = FAMILIES["smooth"]
    points = MadeUp(kind, 0).encoding.draw(np.random.default_rng(0), 200)
    one, other = (MadeUp(kind, seed).truth(points)[:, -1] for seed in (0, 1))
    assert abs(spearmanr(one, other)[0]) < 0.9


@pytest.mark.slow
def test_the_default_beats_plain_asha_on_made_up_curves():
    names, seeds = ("smooth", "crossing", "late"), 6

    def regret(task, seed, **names):
        budget = 30 * task.max_epochs
        found = simulate(task.space, task.curve, task.max_epochs, budget, seed=seed, **names)
        return task.regret(found.best_at(budget))

    tasks = [made_up(name) for name in names]
    ours = [regret(task, seed) for task in tasks for seed in range(seeds)]
    plain = [
        regret(task, seed, searcher="random", scheduler="asha") for task in tasks for seed in range(seeds)
    ]
    assert np.mean(ours) < 0.6 * np.mean(plain)
