"""The Gaussian process against references: scikit-learn's, finite differences, and itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from search.forecast.gaussian import JITTER, GaussianProcess, _distances

SLOTS = np.array([0, 1, 2, 2])


def observations(count=30, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((count, 4)), rng.random(count), rng.normal(size=count)


def test_the_gradient_is_that_of_the_loss():
    points, left, scores = observations()
    process = GaussianProcess(SLOTS)
    theta = process._mean + np.random.default_rng(1).normal(0, 0.3, len(process._mean))
    given = (points, left, scores, _distances(points, points))
    numeric = approx_fprime(theta, lambda at: process._loss(at, *given)[0], 1e-6)
    assert np.allclose(process._loss(theta, *given)[1], numeric, atol=1e-3)


def test_predictions_at_the_full_budget_are_those_of_the_library():
    """Without course and twins it is an ordinary Matérn process."""
    points, _, scores = observations()
    process = GaussianProcess(SLOTS)
    process._theta = process._theta.copy()
    process._theta[7:11] = -40.0  # variances of course, mean course, and of twins
    shape = process.shape
    process.condition(points, np.zeros(len(points)), scores)
    kernel = ConstantKernel(shape.value) * Matern(shape.value_lengths[SLOTS], nu=2.5)
    reference = GaussianProcessRegressor(kernel + WhiteKernel(shape.noise + JITTER), alpha=0, optimizer=None)
    reference.fit(points, scores)
    new, _, _ = observations(seed=2)
    mean, deviation = process.predict(new)
    expected, wide = reference.predict(new, return_std=True)
    assert np.allclose(mean, expected, atol=1e-6)
    assert np.allclose(process.expect(new), mean)
    assert np.allclose(deviation**2, wide**2 - shape.noise - JITTER, atol=1e-6)


def test_recipes_far_from_all_others_differ_by_what_the_process_says():
    points, left, scores = observations()
    process = GaussianProcess(SLOTS)
    process.condition(points, left, scores)
    mean, deviation = process.predict(points[:3] + 1e4)
    assert np.allclose(mean, 0.0)
    assert np.allclose(deviation, process.differing)


def test_observations_added_later_count_like_those_given_at_once():
    points, left, scores = observations()
    left[-5:] = 0.0
    at_once, later = GaussianProcess(SLOTS), GaussianProcess(SLOTS)
    at_once.condition(points, left, scores)
    later.condition(points[:-5], left[:-5], scores[:-5])
    later.extend(points[-5:], scores[-5:])
    new, _, _ = observations(seed=3)
    for one, other in zip(at_once.predict(new), later.predict(new), strict=True):
        assert np.allclose(one, other)


def test_a_fit_makes_the_observations_more_probable():
    rng = np.random.default_rng(0)
    points = rng.random((80, 4))
    scores = np.sin(6 * points[:, 0])
    scores = (scores - scores.mean()) / scores.std()
    process = GaussianProcess(SLOTS)
    given = (points, np.zeros(80), scores, _distances(points, points))
    before = process._loss(process._theta, *given)[0]
    process.fit(points, np.zeros(80), scores)
    assert process._loss(process._theta, *given)[0] < before - 10
    lengths = process.shape.value_lengths
    assert lengths[0] < 0.5 * min(lengths[1:])  # only the first parameter matters


@pytest.mark.parametrize("misleading", [False, True])
def test_early_scores_count_for_what_they_turned_out_to_be_worth(misleading):
    """Where late scores contradict early ones, an early score alone leaves the final one open."""
    rng = np.random.default_rng(0)
    points = rng.random((40, 4))
    final = np.sin(5 * points[:, 0]) + points[:, 1]
    early = np.cos(4 * points[:, 2]) if misleading else final
    process = GaussianProcess(SLOTS)
    seen = np.vstack([points, points])
    left = np.concatenate([np.ones(40), np.zeros(40)])
    scores = np.concatenate([early, final])
    scores = (scores - scores.mean()) / scores.std()
    process.fit(seen, left, scores, iterations=60)
    shape = process.shape
    told = shape.value / (shape.value + shape.course)  # what of an early score's variance is the final one's
    assert told < 0.6 if misleading else told > 0.9
