"""A forecast follows a history, and says the same of the same history."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.stats import spearmanr

from search.decisions.history import History, Status
from search.forecast.forecast import START, Forecast, checkpoints
from spaces import Choice, Float, SearchSpace, random_suggest

EPOCHS = 27
SPACE = SearchSpace({"x": Float(0, 1), "y": Float(0, 1), "kind": Choice(("a", "b"))})


def curve(params):
    """Fast starters (large y) end low: the order at the first epochs is the reverse of that at the last."""
    epochs = np.arange(1, EPOCHS + 1)
    final = 1 - 0.3 * (params["x"] - 0.4) ** 2 - 0.3 * params["y"] - (0.05 if params["kind"] == "b" else 0)
    return final * (1 - np.exp(-(0.1 + 0.6 * params["y"]) * epochs))


def recipe(seed):
    return SPACE.draw(random_suggest(random.Random(seed)))


def grown(epochs_of, count=60, watcher=None):
    history = History(SPACE, EPOCHS)
    for number in range(count):
        history.begin(number, recipe(number))
        for epoch in range(1, epochs_of(number) + 1):
            history.record(number, epoch, float(curve(history[number].params)[epoch - 1]))
        whole = history[number].epochs == EPOCHS
        history[number].status = Status.COMPLETE if whole else Status.PAUSED
        if watcher is not None:
            watcher(history)
    return history


def test_checkpoints_lie_a_factor_apart():
    assert checkpoints(27) == (1, 3, 9, 27)
    assert checkpoints(100) == (1, 4, 11, 33, 100)
    assert checkpoints(1) == (1,)


def test_it_says_nothing_before_it_has_seen_enough():
    history = History(SPACE, EPOCHS)
    forecast = Forecast()
    assert not forecast.update(history)
    assert forecast.promise(history, []) is None
    history = grown(lambda number: 1, count=START - 1)
    assert not forecast.update(history)


def test_it_sees_through_fast_starters():
    """Most trials stop at a ninth, where the order is misleading; one in five shows the end."""
    history = grown(lambda number: EPOCHS if number % 5 == 0 else 3)
    early = [number for number in range(60) if number % 5]
    final = [curve(history[number].params)[-1] for number in early]
    shown = [history[number].scores[3] for number in early]
    promised = Forecast().promise(history, early)
    assert spearmanr(shown, final)[0] < -0.5
    assert spearmanr(promised, final)[0] > 0.8


def test_new_recipes_are_foreseen_too_and_with_more_doubt_than_known_ones():
    history = grown(lambda number: EPOCHS if number % 2 else 3)
    forecast = Forecast()
    assert forecast.update(history)
    encoding = forecast.encoding(history)
    new = [recipe(1000 + index) for index in range(100)]
    mean, deviation = forecast.predict(encoding.encode_all(new))
    assert spearmanr(mean, [curve(params)[-1] for params in new])[0] > 0.9
    _, known = forecast.outlook(history, [number for number in range(60) if number % 2])
    assert known.mean() < 0.5 * deviation.mean()


def test_asked_after_every_trial_or_once_at_the_end_it_says_the_same():
    def length(number):
        return (1, 3, 5, 9, EPOCHS)[number % 5]

    often = Forecast(seed=3)
    history = grown(length, watcher=often.update)
    once = Forecast(seed=3)
    numbers = list(range(60))
    assert once.promise(history, numbers) == often.promise(history, numbers)


def test_a_running_trial_is_taken_to_reach_what_it_is_expected_to():
    history = grown(lambda number: EPOCHS if number % 3 == 0 else 3, count=30)
    forecast = Forecast()
    forecast.update(history)
    point = forecast.encoding(history).encode(recipe(500))[None]
    mean, doubt = forecast.predict(point)
    history.begin(30, recipe(500))
    forecast.update(history)
    same, less = forecast.predict(point)
    assert same == pytest.approx(mean, abs=1e-3)
    assert less < 0.5 * doubt


def test_a_diverged_recipe_counts_as_the_worst():
    history = grown(lambda number: EPOCHS, count=20)
    forecast = Forecast()
    forecast.update(history)
    point = forecast.encoding(history).encode(recipe(500))[None]
    before, _ = forecast.predict(point)
    history.begin(20, recipe(500))
    history[20].status, history[20].diverged = Status.FAILED, True
    forecast.update(history)
    after, _ = forecast.predict(point)
    assert after < before - 0.3


def test_equal_scores_and_one_epoch_break_nothing():
    history = History(SPACE, 1)
    for number in range(20):
        history.begin(number, recipe(number))
        history.record(number, 1, 0.5)
        history[number].status = Status.COMPLETE
    promised = Forecast().promise(history, [0, 1])
    assert promised is not None
    assert np.isfinite(promised).all()


def test_of_many_observations_a_bounded_number_is_kept():
    history = grown(lambda number: 3, count=400)
    forecast = Forecast()
    forecast.update(history)
    assert len(forecast._process._points) <= 300
    promised = forecast.promise(history, list(range(400)))
    assert spearmanr(promised, [history[number].scores[3] for number in range(400)])[0] > 0.85
