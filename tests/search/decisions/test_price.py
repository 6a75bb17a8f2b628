"""A dear recipe has to be worth its price, where time is what is spent."""

from __future__ import annotations

import numpy as np
import pytest

from search.encoding import Encoding
from search.forecast import price as priced
from search.forecast.forecast import Forecast
from search.forecast.price import Price
from search.simulation import simulate
from spaces import Choice, Float, Int, SearchSpace

EPOCHS = 27
SPACE = SearchSpace({
    "lr": Float(1e-5, 1e-1, log=True), "decay": Float(0, 1), "batch": Int(8, 128, log=True),
    "sharpness": Choice(("none", "sam")), "x": Float(0, 1), "y": Float(0, 1),
})  # fmt: skip


def seconds_of(params):
    return 60.0 / params["batch"] ** 0.7 * (2.0 if params["sharpness"] == "sam" else 1.0)


def curve(params):
    """Neither the batch nor the sharpness makes a difference, but for what they cost."""
    away = abs(np.log10(params["lr"]) + 2.5) + (params["x"] - 0.3) ** 2 + (params["y"] - 0.8) ** 2
    final = 0.95 * np.exp(-0.7 * away - (params["decay"] - 0.5) ** 2)
    return final * (1 - 0.85 ** np.arange(1, EPOCHS + 1)), np.full(EPOCHS, seconds_of(params))


def test_a_price_is_a_product_of_factors():
    encoding = Encoding(SPACE)
    rng = np.random.default_rng(0)
    points, others = encoding.draw(rng, 40), encoding.draw(rng, 200)
    seconds = np.array([seconds_of(encoding.decode(point)) for point in points])
    noisy = seconds * np.exp(rng.normal(0, 0.1, len(points)))
    told = Price(points, noisy).relative(others)
    true = np.log([seconds_of(encoding.decode(point)) for point in others])
    assert np.corrcoef(told, true)[0, 1] > 0.97
    assert np.abs(told - (true - np.log(np.median(seconds)))).max() < 0.6


def test_nothing_is_told_beyond_what_was_seen():
    points = np.array([[0.4], [0.5], [0.6]])
    price = Price(points, np.array([1.0, 1.2, 1.4]))
    assert price.relative(np.array([[-50.0], [50.0]])) == pytest.approx(np.log([1 / 1.2, 1.4 / 1.2]))


def test_a_price_counts_by_how_far_recipes_differ_in_the_end():
    """And not by the spread of all scores, which is that of early epochs too."""
    forecast = Forecast(0)
    runs = simulate(SPACE, curve, EPOCHS, budget_seconds=900.0, seed=0).runs
    forecast.update(runs)
    points = forecast.points(runs, [run.number for run in runs])
    seconds = np.array([run.seconds / run.epochs for run in runs])
    differing = forecast._process.differing
    assert 0.2 < differing < 0.95
    assert np.allclose(forecast.price(runs, points), differing * Price(points, seconds).worth(points))


def spent(seed, **budget):
    found = simulate(SPACE, curve, EPOCHS, seed=seed, **budget)
    late = found.history[found.history["trial"] > 20]
    costs = late.drop_duplicates("trial").apply(seconds_of, axis=1)
    return found.best_at(np.inf), costs.mean(), len(found.runs)


@pytest.mark.slow
def test_cheap_recipes_are_preferred_where_time_is_spent_and_only_there(monkeypatch):
    seeds = range(6)
    by_time = np.mean([spent(seed, budget_seconds=600.0) for seed in seeds], axis=0)
    by_epochs = np.mean([spent(seed, budget_epochs=20 * EPOCHS) for seed in seeds], axis=0)
    monkeypatch.setattr(priced, "FACTOR", 0.0)
    blind = np.mean([spent(seed, budget_seconds=600.0) for seed in seeds], axis=0)
    assert by_time[1] < 0.85 * blind[1]  # seconds of an epoch
    assert by_time[2] > 1.1 * blind[2]  # trials for the same time
    assert by_time[0] > blind[0]
    assert by_epochs[1] > 1.2 * by_time[1]
