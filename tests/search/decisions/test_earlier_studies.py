"""What earlier studies of the same space saw helps a later one, and does it no harm where it misleads."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from search.decisions.history import History, Status
from search.forecast.forecast import RECOMMENDED, Forecast
from search.simulation import simulate
from spaces import Float, SearchSpace, Switch

EPOCHS = 27
SPACE = SearchSpace({
    "lr": Float(1e-5, 1e-1, log=True),
    "decay": Float(1e-6, 1e-2, log=True),
    "kind": Switch({"a": SearchSpace({"x": Float(0, 1)}), "b": SearchSpace({}), "c": SearchSpace({"x": Float(0, 1)})}),
    "y": Float(0, 1),
})  # fmt: skip


def data(rate, decay, kind, level=0.95):
    """A data set whose best recipe is known, and how high scores on it are."""

    def curve(params):
        away = abs(np.log10(params["lr"] / rate)) + 0.3 * abs(np.log10(params["decay"] / decay))
        final = level * np.exp(-0.8 * away) - 0.05 * (params["kind"] != kind) - 0.1 * (params["y"] - 0.8) ** 2
        return final * (1 - 0.85 ** np.arange(1, EPOCHS + 1)), np.ones(EPOCHS)

    return curve


NOW = data(1e-2, 1e-4, "c", level=0.8)
TOP = NOW({"lr": 1e-2, "decay": 1e-4, "kind": "c", "y": 0.8})[0][-1]


def regret(trainings, seed, memory=()):
    budget = trainings * EPOCHS
    return TOP - simulate(SPACE, NOW, EPOCHS, budget, seed=seed, memory=memory).best_at(budget)


@cache
def without(trainings, seeds):
    """Mean regret of searches that remember nothing."""
    return np.mean([regret(trainings, seed) for seed in range(seeds)])


def seen(curve, seed=9, trainings=20):
    return simulate(SPACE, curve, EPOCHS, trainings * EPOCHS, seed=seed).runs


ALIKE = seen(data(7e-3, 2e-4, "c"))
CONTRARY = seen(data(1e-5, 1e-6, "b"))


def test_an_earlier_study_whose_folds_ended_early_is_remembered():
    """Such a fold has a gap before its last epoch."""
    earlier = History(SPACE, EPOCHS)
    for number, run in enumerate(ALIKE):
        copy = earlier.begin(number, run.params)
        for epoch in [*range(1, 9), EPOCHS] if run.epochs == EPOCHS else list(run.scores):
            earlier.record(number, epoch, run.scores[epoch])
        copy.status = run.status
    assert regret(6, 0, [earlier]) < 0.2


def test_a_study_of_like_data_saves_most_of_the_way():
    with_memory = np.mean([regret(6, seed, [ALIKE]) for seed in range(5)])
    assert with_memory < 0.5 * without(6, seeds=5)


@pytest.mark.slow
@pytest.mark.parametrize("trainings", [8, 20])
def test_a_study_of_other_data_does_no_harm(trainings):
    """Never worse than ten percent than without, of what there was to gain."""
    seeds = 10
    baseline = TOP - NOW(SPACE.baseline())[0][-1]
    most = without(trainings, seeds=seeds) + 0.1 * baseline
    for memory in ([CONTRARY], [ALIKE, CONTRARY]):
        assert np.mean([regret(trainings, seed, memory) for seed in range(seeds)]) < most


def test_the_baseline_comes_first_then_the_best_of_each_earlier_study_by_turns():
    runs = simulate(SPACE, NOW, EPOCHS, 15 * EPOCHS, memory=[ALIKE, CONTRARY]).runs
    assert runs[0].params == SPACE.baseline()
    best = [
        max(
            (run for run in earlier if run.status is Status.COMPLETE),
            key=lambda run: max(run.scores.values()),
        )
        for earlier in (ALIKE, CONTRARY)
    ]
    assert [runs[1].params, runs[2].params] == [run.params for run in best]
    recommended = Forecast(0, [ALIKE, CONTRARY]).recommended(runs)
    assert len(recommended) == RECOMMENDED
    assert len({tuple(sorted(recipe.items())) for recipe in recommended}) == RECOMMENDED


def test_a_short_search_tries_fewer_of_what_others_recommend():
    for trainings, count in ((4, 0), (8, 1), (12, 2), (15, RECOMMENDED), (40, RECOMMENDED)):
        runs = History(SPACE, EPOCHS)
        runs.horizon = trainings * EPOCHS
        assert len(Forecast(0, [ALIKE, CONTRARY]).recommended(runs)) == count
    runs = simulate(SPACE, NOW, EPOCHS, trials=5, memory=[ALIKE, CONTRARY]).runs  # how long is not said
    assert len(Forecast(0, [ALIKE, CONTRARY]).recommended(runs)) == RECOMMENDED
    assert len(Forecast(0, [ALIKE, CONTRARY]).recommended(History(SPACE, EPOCHS, timed=True))) == 1


def test_other_scales_and_lengths_are_no_hindrance():
    """An earlier study with scores a hundred times as high, trained three times as long, says the same."""

    def scaled(params):
        scores, _ = data(7e-3, 2e-4, "c")(params)
        return 100 * np.repeat(scores, 3) - 40, np.ones(3 * EPOCHS)

    memory = [simulate(SPACE, scaled, 3 * EPOCHS, 60 * EPOCHS, seed=9).runs]
    assert np.mean([regret(6, seed, memory) for seed in range(5)]) < 0.5 * without(6, seeds=5)


def test_a_study_that_saw_nothing_is_no_memory_but_is_no_error():
    empty = simulate(SPACE, lambda params: (np.full(EPOCHS, np.nan), np.ones(EPOCHS)), EPOCHS, 5).runs
    assert np.isfinite(regret(3, 0, [empty]))
