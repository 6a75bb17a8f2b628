"""Where trials pause first, as far as a search is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.decisions.budget import Budget
from search.decisions.history import History, Status
from search.decisions.ladder import Ladder, ladder_down, ladder_up
from search.policies import make_parts
from search.simulation import simulate
from spaces import Float, SearchSpace

SPACE = SearchSpace({"x": Float(0, 1), "y": Float(0, 1), "z": Float(0, 1)})


def test_rungs_are_counted_from_the_grace_up_or_from_the_full_budget_down():
    assert ladder_up(1, 3, 27).rungs == (1, 3, 9)
    assert ladder_down(1, 2, 51, 5).rungs == (2, 3, 6, 13, 26)
    assert ladder_down(4, 2, 27, 5).rungs == (7, 14)
    assert ladder_down(20, 2, 27, 5).rungs == (20,)


@pytest.mark.parametrize(
    ("spent", "first"),
    [(0.0, 1), (0.1, 3), (0.25, 9), (0.4, 9), (0.5, 27), (1.0, 27), (None, 9)],
)
def test_what_early_scores_must_tell_rises_while_the_search_goes_on(spent, first):
    assert Ladder((1, 3, 9, 27), 3, 81).first((0.35, 0.5, 0.8, 0.95), spent) == first


def test_where_no_rung_tells_enough_trials_pause_at_the_highest():
    assert Ladder((1, 3, 9), 3, 27).first((0.1, 0.1, 0.2), 0.0) == 9


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted), st.floats(0, 1), st.floats(0, 1))
def test_the_first_rung_never_falls_back(telling, one, other):
    ladder = Ladder((1, 3, 9), 3, 27)
    early, late = sorted((one, other))
    assert ladder.first(telling, early) <= ladder.first(telling, late)


def history(*lengths):
    made = History(SPACE, 27)
    for number, epochs in enumerate(lengths):
        made.begin(number, {"x": 0.5, "y": 0.5, "z": 0.5})
        for epoch in range(1, epochs + 1):
            made.record(number, epoch, 0.5)
        made[number].status = Status.PAUSED
    return made


@pytest.mark.parametrize(
    ("limits", "seconds", "spent"),
    [
        ({}, 10.0, None),
        ({"enough": 0.01}, 10.0, None),
        ({"trials": 8}, 0.0, 0.25),
        ({"epochs": 40}, 0.0, 0.75),
        ({"seconds": 50}, 20.0, 0.4),
        ({"trials": 8, "epochs": 40, "seconds": 50}, 20.0, 0.75),
        ({"trials": 1}, 0.0, 1.0),
        ({"seconds": 0}, 0.0, 1.0),
    ],
)
def test_how_far_a_search_is_the_nearest_limit_says(limits, seconds, spent):
    assert Budget(**limits).spent(history(27, 3), seconds) == spent


@pytest.mark.parametrize("limit", ["epochs", "seconds", "trials"])
def test_trials_pause_early_at_first_and_later_late(limit):
    """Early scores say little here: enough to begin with, too little among good recipes."""
    epochs = np.arange(1, 28)

    def curve(params):
        final = 0.9 - (params["x"] - 0.3) ** 2 - (params["y"] - 0.6) ** 2
        early = 0.4 * np.sin(7 * params["z"]) * np.exp(-epochs / 6)
        return final * (1 - 0.8**epochs) + early, np.ones(27)

    budget = {
        "epochs": {"budget_epochs": 30 * 27},
        "seconds": {"budget_seconds": 30 * 27 / 4},
        "trials": {"trials": 100},
    }
    runs = [
        run
        for seed in range(3)
        for run in simulate(SPACE, curve, 27, seed=seed, **budget[limit]).runs
        if run.pauses
    ]
    numbers = np.array([run.number for run in runs])
    first = np.array([run.pauses[0] for run in runs])
    assert first[numbers < 15].mean() < 0.6 * first[numbers > np.quantile(numbers, 0.7)].mean()


def test_decisions_know_how_far_the_search_is_from_its_history_alone():
    """After a restart, where records are judged before anybody asks for the stage."""
    from search.decisions.policy import Policy

    policy = Policy(History(SPACE, 27), *make_parts("random", "default", 27, seed=0), Budget(epochs=54))
    policy.begin(0, {"x": 0.5, "y": 0.5, "z": 0.5})
    for epoch in range(1, 28):
        policy.on_record(0, epoch, 0.5)
    assert policy.history.spent == 0.5
    assert policy.history.horizon == 54
