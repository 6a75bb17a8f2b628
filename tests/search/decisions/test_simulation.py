"""Searches on simulated time: the clock, the budget, the states, and schedulers that must earn their keep."""

from __future__ import annotations

import logging.handlers
import time

import numpy as np
import pytest

from search.decisions.history import Status
from search.searchers.registry import SEARCHERS
from search.simulation import simulate
from spaces import Choice, Float, InputError, Int, SearchSpace, Switch

SPACE = SearchSpace(
    {
        "x": Float(0, 1),
        "kind": Switch({"a": SearchSpace({"y": Float(1e-3, 1, log=True)}), "b": SearchSpace({})}),
    }
)
EPOCHS = 27


def curve(params):
    """Better towards x = 0.7 and branch a; a larger x takes longer."""
    final = 1 - abs(params["x"] - 0.7) - (0.2 if params["kind"] == "b" else 0.0)
    epochs = np.arange(1, EPOCHS + 1)
    return final * (1 - 0.7**epochs), np.full(EPOCHS, 1 + params["x"])


def run(**changes):
    given = {"budget_epochs": 270, "workers": 4, "seed": 0} | changes
    return simulate(SPACE, curve, EPOCHS, **given)


@pytest.mark.parametrize("scheduler", ["default", "asha", "hyperband", "promotion", "none"])
@pytest.mark.parametrize("searcher", [name for name in SEARCHERS if name != "gp"])
def test_a_simulation_is_a_table_of_epochs_in_the_order_of_the_clock(searcher, scheduler):
    found = run(searcher=searcher, scheduler=scheduler)
    table = found.history
    assert list(table.columns) == ["trial", "epoch", "score", "clock", "epochs_spent", *SPACE.leaves()]
    assert list(table["epochs_spent"]) == list(range(1, len(table) + 1))
    left = 270 - len(table)
    if scheduler in {"default", "promotion"}:  # too little to begin anything, or to finish what waits
        waiting = [EPOCHS - run.epochs for run in found.runs if run.status is Status.PAUSED]
        assert 0 <= left < min([EPOCHS, *waiting])
    else:
        assert left == 0
    assert table["clock"].is_monotonic_increasing
    for _, rows in table.groupby("trial"):
        assert list(rows["epoch"]) == list(range(1, len(rows) + 1))
        params = {name: value for name, value in rows.iloc[0][list(SPACE.leaves())].items() if value == value}
        SPACE.check(params)
        scores, seconds = curve(params)
        assert np.allclose(rows["score"], scores[: len(rows)])
        assert (np.diff(rows["clock"]) >= seconds[0] - 1e-9).all()


def test_the_same_seed_gives_the_same_search_and_another_one_another():
    one, same, other = (run(searcher="tpe", scheduler="promotion", seed=seed).history for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)


def test_workers_train_side_by_side():
    alone, four = (run(scheduler="none", searcher="random", workers=workers).history for workers in (1, 4))
    assert four["clock"].iloc[-1] < alone["clock"].iloc[-1] / 3
    first = alone[alone["trial"] == 0]
    assert first["clock"].iloc[-1] == pytest.approx(EPOCHS * (1 + first["x"].iloc[0]))


def test_a_search_ends_at_its_seconds_or_with_its_trials():
    assert run(budget_epochs=None, budget_seconds=100).history["clock"].max() <= 100
    for scheduler in ("asha", "promotion"):
        runs = run(budget_epochs=None, trials=20, scheduler=scheduler).runs
        assert len(runs) == 20
        assert not any(run.status is Status.RUNNING for run in runs)


def test_a_short_search_by_promotion_ends_with_trials_of_full_length():
    runs = run(budget_epochs=None, trials=5, scheduler="promotion").runs
    assert sum(run.status is Status.COMPLETE for run in runs) == 3


def test_a_recipe_that_diverges_costs_its_epochs_and_leaves_no_score():
    def breaking(params):
        scores, seconds = curve(params)
        return (np.where(np.arange(EPOCHS) >= 2, np.nan, scores) if params["x"] > 0.5 else scores), seconds

    result = simulate(SPACE, breaking, EPOCHS, 100, searcher="tpe", scheduler="promotion")
    broken = [run for run in result.runs if run.status is Status.FAILED]
    assert broken
    assert all(run.diverged and run.epochs == 2 for run in broken)
    assert result.history["score"].notna().all()
    assert result.history["epochs_spent"].iloc[-1] >= len(result.history) + len(broken) - 3


def test_promotion_keeps_its_share_while_proposals_improve_and_stopping_does_not():
    """Each newcomer beats all before it: the stopping type lets every one through."""

    class Better:
        def propose(self, history, number):
            return {"x": 0.7 * (1 - 0.9**number), "kind": "b"}

    stopping = run(searcher=Better(), scheduler="asha").runs
    promotion = run(searcher=Better(), scheduler="promotion").runs
    assert len(stopping) < 15
    assert len(promotion) > 40


def test_early_stopping_earns_its_keep():
    def regret(scheduler):
        return np.mean([1 - run(scheduler=scheduler, seed=seed).best_at(135) for seed in range(10)])

    assert regret("promotion") < 0.7 * regret("none")
    assert regret("asha") < regret("none")


def test_a_thousand_trials_of_27_epochs_take_seconds():
    began = time.perf_counter()
    result = run(budget_epochs=None, trials=1000, scheduler="none", searcher="random")
    assert len(result.history) == 27_000
    assert time.perf_counter() - began < 15


def test_what_is_wrong_is_said():
    with pytest.raises(InputError, match="one of budget_epochs"):
        run(budget_epochs=None)
    with pytest.raises(InputError, match="a searcher must be one of default, tpe, gp, random"):
        run(searcher="bayes")
    with pytest.raises(InputError, match="a scheduler must be one of default, asha"):
        run(scheduler="median")
    with pytest.raises(InputError, match="27 scores"):
        simulate(SPACE, lambda params: (np.zeros(3), np.zeros(3)), EPOCHS, 10)


def test_optunas_gp_proposes_too():
    space = SearchSpace({"x": Float(0, 1), "n": Int(1, 9), "c": Choice(("u", "v"))})
    flat = np.ones(2)
    result = simulate(space, lambda p: (flat * p["x"], flat), 2, trials=13, searcher="gp", scheduler="none")
    assert len(result.runs) == 13


@pytest.mark.parametrize("searcher", ["tpe", "gp"])
def test_samplers_of_optuna_do_not_talk_about_each_trial(searcher):
    talk = logging.handlers.BufferingHandler(capacity=1000)
    logging.getLogger("optuna").addHandler(talk)
    try:
        run(searcher=searcher, scheduler="none", budget_epochs=13 * EPOCHS)
    finally:
        logging.getLogger("optuna").removeHandler(talk)
    assert [record.getMessage() for record in talk.buffer] == []
