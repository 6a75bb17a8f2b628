"""The default searcher and scheduler."""

from __future__ import annotations

import numpy as np
import pytest

from search.decisions.history import History, Status
from search.policies import make_parts
from search.simulation import simulate
from spaces import Choice, Float, Int, SearchSpace, Switch

EPOCHS = 27
SPACE = SearchSpace(
    {
        "lr": Float(1e-5, 1e-1, log=True),
        "wd": Float(1e-6, 1, log=True),
        "batch": Int(8, 256, log=True),
        "how": Switch(
            {
                "full": SearchSpace({"decay": Float(0, 1)}),
                "head": SearchSpace({"decay": Float(0, 1), "depth": Choice((1, 2, 3))}),
            }
        ),
        "drop": Float(0, 0.5),
    }
)


def curve(params):
    """Best near lr 1e-3, wd 1e-3, branch full with decay 0.7; a large rate starts fast and ends low."""
    rate = np.log10(params["lr"]) + 3
    loss = 0.08 * rate**2 + 0.03 * (np.log10(params["wd"]) + 3) ** 2 + params["drop"] * 0.4
    loss += 0.5 * (params["how.full.decay"] - 0.7) ** 2 if params["how"] == "full" else 0.3
    speed = np.exp(-1.5 + rate)
    epochs = np.arange(1, EPOCHS + 1)
    return (1 - loss) * (1 - np.exp(-speed * epochs)), np.ones(EPOCHS)


def search(seed=0, budget=20, **changes):
    return simulate(SPACE, curve, EPOCHS, budget * EPOCHS, seed=seed, **changes)


def test_the_default_finds_what_random_recipes_under_plain_asha_do_not():
    ours = np.array([1 - search(seed).best_at(20 * EPOCHS) for seed in range(6)])
    plain = [1 - search(seed, searcher="random", scheduler="asha").best_at(20 * EPOCHS) for seed in range(6)]
    assert ours.mean() < 0.5 * np.mean(plain)


def test_the_same_seed_gives_the_same_search():
    assert search(3).history.equals(search(3).history)
    assert not search(3).history.equals(search(4).history)


def test_scouts_run_through_and_later_trials_pause():
    runs = search().runs
    assert [runs[number].status for number in range(2)] == [Status.COMPLETE] * 2
    lengths = {run.epochs for run in runs if run.status is Status.PAUSED}
    assert lengths <= {1, 2, 3, 7, 14}
    assert sum(run.status is Status.COMPLETE for run in runs) >= 4


@pytest.mark.parametrize(
    ("limit", "trainings", "scouts"),
    [
        ("budget_epochs", 4, 0),
        ("budget_epochs", 6, 1),
        ("budget_epochs", 12, 2),
        ("budget_seconds", 4, 0),
        ("budget_seconds", 12, 2),
    ],
)
def test_a_search_has_no_more_scouts_than_it_can_afford(limit, trainings, scouts):
    """Two that ran through took a minute's search whole."""
    workers = 2
    amount = trainings * EPOCHS / (workers if limit == "budget_seconds" else 1)
    runs = simulate(SPACE, curve, EPOCHS, workers=workers, seed=1, **{limit: amount}).runs
    through = [not runs[number].pauses and runs[number].epochs == EPOCHS for number in range(2)]
    assert sum(through) == scouts


def test_a_search_limited_by_its_trials_has_all_scouts():
    runs = simulate(SPACE, curve, EPOCHS, trials=4, seed=1).runs
    assert [runs[number].pauses for number in range(2)] == [[], []]


def test_what_may_be_gained_is_held_against_the_fold_that_is_foreseen():
    """Later folds may be harder; a mean over them says nothing about what the first may still reach."""
    plain = search(budget=25).runs
    folded = History(SPACE, 2 * EPOCHS, EPOCHS)
    for run in plain:
        folded.begin(run.number, run.params)
    for number, epoch in plain.events:
        folded.record(number, epoch, plain[number].scores[epoch])
    for run in plain:
        folded[run.number].status = run.status
        if run.status is Status.COMPLETE:
            for epoch in range(EPOCHS + 1, 2 * EPOCHS + 1):
                folded.record(run.number, epoch, 0.3)
    gains = [make_parts("default", "default", EPOCHS, seed=0)[0].gain(runs) for runs in (plain, folded)]
    assert gains[0] == pytest.approx(gains[1], rel=1e-6)
    assert np.isfinite(gains[0])


def test_a_share_of_proposals_is_drawn_at_random_for_ever():
    searcher, _ = make_parts("default", "default", EPOCHS, seed=0)
    history = search(budget=10).runs
    far = 0
    for number in range(200):
        params = searcher.propose(history, 1000 + number)
        SPACE.check(params)
        far += params["how"] == "head" and params["lr"] < 1e-4  # hopeless
    assert 2 <= far <= 40


def test_where_recipes_diverge_fewer_are_proposed():
    def breaking(params):
        scores, seconds = curve(params)
        broken = params["lr"] > 3e-3
        return (np.where(np.arange(EPOCHS) >= 2, np.nan, scores) if broken else scores), seconds

    share = {}
    for searcher in ("default", "random"):
        runs = simulate(SPACE, breaking, EPOCHS, 20 * EPOCHS, searcher=searcher, seed=1).runs
        late = list(runs)[len(runs) // 2 :]
        share[searcher] = np.mean([run.params["lr"] > 3e-3 for run in late])
    assert share["default"] < 0.5 * share["random"]


@pytest.mark.parametrize("scheduler", ["asha", "none", "promotion", "hyperband"])
def test_the_searcher_works_under_every_scheduler(scheduler):
    result = search(scheduler=scheduler, budget=8)
    assert result.best_at(8 * EPOCHS) > 0.7


def test_a_space_of_one_recipe_and_a_budget_of_one_epoch_are_no_trouble():
    space = SearchSpace({"x": Float(1, 1)})
    result = simulate(space, lambda params: (np.array([0.5]), np.array([1.0])), 1, 30)
    assert len(result.runs) >= 30


def test_parts_by_name_share_one_forecast_and_a_history_may_be_empty():
    searcher, scheduler = make_parts("default", "default", EPOCHS, seed=0)
    history = History(SPACE, EPOCHS)
    assert scheduler.resume(history, closing=False) is None
    SPACE.check(searcher.propose(history, 0))
    assert searcher._forecast is scheduler._forecast
