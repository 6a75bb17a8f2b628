"""A Gaussian process over recipes and how far they were trained."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

JITTER = 1e-6
SPREAD = 0.4
"""Standard deviation of a logarithmic lengthscale, before anything is seen: few trials must decide on many."""
SCALES = ("value", "course", "mean_course", "own_value", "own_course", "noise", "bend", "own_scale")
PRIOR = (1.0, 0.5, 1.0, 0.1, 0.05, 0.01, 1.0, 0.15)
PRIOR_SPREAD = (0.7, 1.0, 1.2, 1.2, 1.2, 1.2, 0.4, 0.5)


@dataclass(frozen=True)
class Shape:
    """Hyperparameters, all positive.

    Args:
        value_lengths: Lengthscale of the final value along each slot: shape (slots,).
        course_lengths: Lengthscale of how it gets there along each slot: shape (slots,).
        value: Variance of the final value.
        course: Variance of what lies between an early value and the final one, that depends on the recipe.
        mean_course: The same, common to all recipes.
        own_value: Variance of the final value that only near twins of a recipe share.
        own_course: The same for its course.
        noise: Variance of an epoch's score.
        bend: Above 1, courses are settled early; below, late.
        own_scale: How near twins are: a distance in the unit cube.
    """

    value_lengths: Array
    course_lengths: Array
    value: float
    course: float
    mean_course: float
    own_value: float
    own_course: float
    noise: float
    bend: float
    own_scale: float


class GaussianProcess:
    """Predicts the score of a recipe at its full budget from scores of others at any epoch.

    A score is the recipe's final value and what is missing to it: ``f(x, u) = g(x) + d(x, u) + c(u) + r(x, u)``,
    where u is what is still to train (0 at the full budget, 1 after the first epoch). g is smooth (Matérn 5/2,
    one lengthscale a slot); d and c are random walks in u that end at 0, of which d depends on the recipe: where
    many early scores were misleading, its variance is learnt to be large, and early scores count for less. r is
    what a recipe has of its own; it decays fast with distance, so that a twin of a good recipe promises nothing
    new. Lengthscales start at a half of the cube's diagonal, as dimensions ask for.

    Args:
        slots: Which parameter each column of a point belongs to: shape (columns,).
        openness: How much further than usual hyperparameters may lie from what is believed before anything is seen.

    Sources: Swersky et al., Freeze-thaw Bayesian optimization, 2014 (a value and a course that ends in it);
    Hvarfner et al., Vanilla Bayesian optimization performs great in high dimensions, ICML 2024 (lengthscales that
    grow with the number of dimensions).
    """

    def __init__(self, slots: NDArray[np.int64], openness: float = 1.0) -> None:
        self._slots = slots
        self._count = int(slots.max(initial=-1)) + 1
        root = np.sqrt(max(1, self._count))
        scales = np.array(PRIOR)
        scales[-1] *= root
        self._mean = np.log(
            np.concatenate([np.full(self._count, 0.5 * root), np.full(self._count, 0.675 * root), scales])
        )
        self._spread = openness * np.concatenate([np.full(2 * self._count, SPREAD), PRIOR_SPREAD])
        self._theta = self._mean

    @property
    def shape(self) -> Shape:
        """The hyperparameters as they are."""
        return self._shape(self._theta)

    def _shape(self, theta: Array) -> Shape:
        values, count = np.exp(theta), self._count
        return Shape(values[:count], values[count : 2 * count], *map(float, values[2 * count :]))

    def fit(self, points: Array, left: Array, scores: Array, iterations: int = 15) -> None:
        """Move the hyperparameters towards their most probable values.

        Args:
            points: Recipes: shape (n, columns).
            left: What each had still to train: shape (n,).
            scores: Shape (n,), of mean about 0 and spread about 1.
            iterations: Of L-BFGS, from where the last fit ended.
        """
        from scipy.optimize import minimize

        distances = _distances(points, points)
        bounds = list(zip(self._mean - 4 * self._spread, self._mean + 4 * self._spread, strict=True))
        found = minimize(
            self._loss,
            self._theta,
            args=(points, left, scores, distances),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": iterations},
        )
        self._theta = found.x

    def likely(
        self, points: Array, left: Array, scores: Array, count: int, rng: np.random.Generator
    ) -> list[GaussianProcess]:
        """Processes with other hyperparameters, as probable as the data make them, to be conditioned.

        Drawn from the normal distribution about the most probable ones whose precision is the curvature there
        (Laplace's approximation).

        Args:
            points: As for `fit`, which comes before.
            left: Likewise.
            scores: Likewise.
            count: How many.
            rng: Draws them.
        """
        distances, step = _distances(points, points), 0.05
        curvature = np.zeros((len(self._theta), len(self._theta)))
        for index in range(len(self._theta)):
            slopes = []
            for sign in (1, -1):
                theta = self._theta.copy()
                theta[index] += sign * step
                slopes.append(self._loss(theta, points, left, scores, distances)[1])
            curvature[index] = (slopes[0] - slopes[1]) / (2 * step)
        values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
        root = vectors / np.sqrt(
            np.maximum(values, 1 / self._spread.max() ** 2)
        )  # never wider than was believed
        found = []
        for _ in range(count):
            other = copy(self)
            drawn = self._theta + root @ rng.standard_normal(len(values))
            other._theta = np.clip(drawn, self._mean - 4 * self._spread, self._mean + 4 * self._spread)
            found.append(other)
        return found

    def _loss(
        self, theta: Array, points: Array, left: Array, scores: Array, distances: Array
    ) -> tuple[float, Array]:
        """Minus the logarithmic posterior density of the hyperparameters, and its gradient."""
        from scipy.linalg import solve_triangular

        shape, count = self._shape(theta), self._count
        least = np.minimum(left[:, None], left[None])
        common = least**shape.bend
        scaled_value = points / shape.value_lengths[self._slots]
        scaled_course = points / shape.course_lengths[self._slots]
        smooth, slope = _matern(scaled_value, scaled_value)
        bent, bend = _matern(scaled_course, scaled_course)
        twins = np.exp(-distances / shape.own_scale)
        parts = (
            shape.value * smooth,
            shape.course * bent * common,
            shape.mean_course * common,
            shape.own_value * twins,
            shape.own_course * twins * common,
        )
        kernel = sum(parts[1:], parts[0])
        kernel[np.diag_indices(len(scores))] += shape.noise + JITTER
        away = (theta - self._mean) / self._spread
        try:
            root = np.linalg.cholesky(kernel)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        inverse_root = solve_triangular(root, np.eye(len(scores)), lower=True, check_finite=False)
        inverse = inverse_root.T @ inverse_root
        weights = inverse @ scores
        loss = 0.5 * scores @ weights + np.log(np.diag(root)).sum() + 0.5 * (away**2).sum()
        pull = np.outer(weights, weights) - inverse
        gradient = np.zeros_like(theta)
        for offset, scaled, weight in (
            (0, scaled_value, pull * shape.value * slope),
            (count, scaled_course, pull * shape.course * bend * common),
        ):
            rows = weight.sum(axis=1)
            columns = (scaled**2 * rows[:, None]).sum(axis=0) - (scaled * (weight @ scaled)).sum(axis=0)
            np.add.at(gradient, offset + self._slots, -columns)
        for index, part in enumerate(parts):
            gradient[2 * count + index] = -0.5 * (pull * part).sum()
        gradient[-3] = -0.5 * shape.noise * np.trace(pull)
        logarithm = np.log(np.where(least > 0, least, 1.0))
        gradient[-2] = -0.5 * shape.bend * (pull * (parts[1] + parts[2] + parts[4]) * logarithm).sum()
        gradient[-1] = -0.5 * (pull * (parts[3] + parts[4]) * distances).sum() / shape.own_scale
        return float(loss), gradient + away / self._spread

    def condition(self, points: Array, left: Array, scores: Array) -> None:
        """Take in observations (in place of those before); see `fit` for the shapes."""
        from scipy.linalg import cho_solve

        self._points, self._left, self._scores = points, left, scores
        kernel = self._kernel(points, left, points, left)
        kernel[np.diag_indices(len(scores))] += self.shape.noise + JITTER
        self._root = np.linalg.cholesky(kernel)
        self._weights = cho_solve((self._root, True), scores, check_finite=False)

    def extend(self, points: Array, scores: Array) -> None:
        """Take in observations at the full budget beside those that are known already."""
        from scipy.linalg import cho_solve, solve_triangular

        nothing = np.zeros(len(points))
        across = self._kernel(points, nothing, self._points, self._left)
        among = self._kernel(points, nothing, points, nothing)
        among[np.diag_indices(len(points))] += self.shape.noise + JITTER
        side = solve_triangular(self._root, across.T, lower=True, check_finite=False)
        corner = np.linalg.cholesky(among - side.T @ side)
        known, new = len(self._points), len(points)
        root = np.zeros((known + new, known + new))
        root[:known, :known], root[known:, :known], root[known:, known:] = self._root, side.T, corner
        self._root = root
        self._points = np.vstack([self._points, points])
        self._left = np.concatenate([self._left, nothing])
        self._scores = np.concatenate([self._scores, scores])
        self._weights = cho_solve((root, True), self._scores, check_finite=False)

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the final value of each recipe: two of shape (points,)."""
        from scipy.linalg import solve_triangular

        shape = self.shape
        kernel = self._kernel(points, np.zeros(len(points)), self._points, self._left)
        solved = solve_triangular(self._root, kernel.T, lower=True, check_finite=False)
        variance = shape.value + shape.own_value - (solved**2).sum(axis=0)
        return kernel @ self._weights, np.sqrt(np.maximum(variance, 1e-10))

    def expect(self, points: Array) -> Array:
        """The mean alone, in a fraction of the time."""
        expected: Array = (
            self._kernel(points, np.zeros(len(points)), self._points, self._left) @ self._weights
        )
        return expected

    def shared(self, points: Array) -> tuple[Array, Array]:
        """What is expected of recipes for their parameters alone, without what only near twins share.

        Returns:
            Mean: shape (points,); covariance: shape (points, points).
        """
        from scipy.linalg import solve_triangular

        shape = self.shape
        lengths = shape.value_lengths[self._slots]
        kernel = shape.value * _matern(points / lengths, self._points / lengths)[0]
        solved = solve_triangular(self._root, kernel.T, lower=True, check_finite=False)
        among = shape.value * _matern(points / lengths, points / lengths)[0]
        return kernel @ self._weights, among - solved.T @ solved

    @property
    def differing(self) -> float:
        """Standard deviation of the final value among recipes as yet unknown."""
        return float(np.sqrt(self.shape.value + self.shape.own_value))

    def telling(self, left: float) -> float:
        """Correlation between a score with `left` still to train and the final value, of recipes as yet unknown."""
        shape = self.shape
        value = shape.value + shape.own_value
        course = (shape.course + shape.own_course) * left**shape.bend
        return float(np.sqrt(value / (value + course + shape.noise)))

    def _kernel(self, points: Array, left: Array, others: Array, others_left: Array) -> Array:
        shape = self.shape
        lengths = shape.value_lengths[self._slots]
        kernel = shape.value * _matern(points / lengths, others / lengths)[0]
        twins = np.exp(-_distances(points, others) / shape.own_scale)
        if not left.any():
            return kernel + shape.own_value * twins
        common = np.minimum(left[:, None], others_left[None]) ** shape.bend
        lengths = shape.course_lengths[self._slots]
        kernel += common * (shape.course * _matern(points / lengths, others / lengths)[0] + shape.mean_course)
        return kernel + twins * (shape.own_value + shape.own_course * common)


def _distances(points: Array, others: Array) -> Array:
    squares: Array = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] - 2 * points @ others.T
    distances: Array = np.sqrt(np.maximum(squares, 0.0))
    return distances


def _matern(points: Array, others: Array) -> tuple[Array, Array]:
    """Matérn 5/2 of scaled points; and what its derivative by a logarithmic lengthscale has beside the square."""
    distances = np.sqrt(5.0) * _distances(points, others)
    decay = np.exp(-distances)
    return (1 + distances + distances**2 / 3) * decay, 5 / 3 * (1 + distances) * decay
