"""Promotion: what is owed, what closing needs, and what is finished then."""

from __future__ import annotations

import math

import numpy as np
import pytest

from search.decisions.budget import Budget, Left, Stage
from search.decisions.folds import FoldScheduler
from search.decisions.history import History, Status
from search.decisions.ladder import Ladder
from search.decisions.policy import Policy
from search.decisions.promotion import Promotion
from search.searchers.uniform import Uniform
from search.simulation import simulate
from spaces import Float, SearchSpace

SPACE = SearchSpace({"x": Float(0, 1)})
LADDER = Ladder((3, 9), 3, 27)


class Late:
    """Believes in nothing before the last rung, and in the trials as they score."""

    def promise(self, history, numbers, *, optimism=0.0):
        return [history.score(number) for number in numbers]

    def telling(self, history, epochs):
        return [0.0] * (len(epochs) - 1) + [1.0]


def begun(history, epochs, status, pauses=(), score=0.5):
    number = len(history)
    run = history.begin(number, {"x": 0.5})
    for epoch in range(1, epochs + 1):
        history.record(number, epoch, score)
    run.status, run.pauses = status, list(pauses)
    return number


def test_trials_that_were_given_up_at_a_rung_are_not_taken_for_promoted_ones():
    """A study that is made longer has many of them, and would promote nothing until as many again had paused."""
    history = History(SPACE, 27)
    for _ in range(20):
        begun(history, 3, Status.STOPPED, [3])
    for _ in range(4):
        begun(history, 27, Status.COMPLETE, [3, 9])
    new = [begun(history, 3, Status.PAUSED, [3], score=0.9) for _ in range(6)]
    assert Promotion(LADDER).resume(history, closing=False) in new


def test_promoted_trials_count_while_they_run_on():
    history = History(SPACE, 27)
    for _ in range(3):
        begun(history, 3, Status.PAUSED, [3])
    first = Promotion(LADDER).resume(history, closing=False)
    history[first].status = Status.RUNNING
    assert Promotion(LADDER).resume(history, closing=False) is None


def test_a_study_that_is_made_longer_promotes_again():
    def run(policy, first):
        history = policy.history
        promoted = 0
        while (number := policy.resume(stage := policy.stage(0.0))) is not None or stage is Stage.OPEN:
            if number is None:
                number = len(history)
                policy.begin(number, policy.propose(number))
            else:
                policy.begin(number, history[number].params)
                promoted += number >= first and stage is Stage.OPEN
            while True:
                epoch = history[number].epochs + 1
                policy.on_record(number, epoch, history[number].params["x"] * epoch / 27)
                if epoch == 27:
                    policy.end(number, Status.COMPLETE)
                if history[number].status is not Status.RUNNING:
                    break
        for one in history:
            if one.status is Status.PAUSED:
                policy.end(one.number, Status.STOPPED)
        return promoted

    policy = Policy(History(SPACE, 27), Uniform(0), Promotion(LADDER), Budget(30))
    assert run(policy, 0) >= 10
    policy.budget = Budget(60)
    assert run(policy, 30) >= 8


def test_a_trial_that_ended_by_its_own_rule_needs_nothing_more():
    history = History(SPACE, 27)
    for _ in range(3):
        begun(history, 12, Status.COMPLETE, score=0.9)
    assert not Promotion(LADDER).closes(history, Left(44))
    assert not Promotion(LADDER).closes(history, Left(28))


def test_a_trial_that_runs_needs_what_it_takes_to_the_rung_where_it_will_pause():
    history = History(SPACE, 27)
    for _ in range(3):
        begun(history, 27, Status.COMPLETE, score=0.9)
    for _ in range(4):
        begun(history, 1, Status.RUNNING, score=0.1)
    early, late = Promotion(LADDER), Promotion(LADDER, forecast=Late())
    assert not early.closes(history, Left(30))  # 2 epochs each until the first rung
    assert late.closes(history, Left(30))  # 8 each until the second
    assert not late.closes(history, Left(60))


def test_a_scout_that_runs_needs_its_whole_training():
    history = History(SPACE, 27)
    begun(history, 1, Status.RUNNING, score=0.1)
    for _ in range(3):
        begun(history, 27, Status.COMPLETE, score=0.9)
    assert not Promotion(LADDER).closes(history, Left(28))
    assert Promotion(LADDER, scouts=1).closes(history, Left(28))


def folded(folds=5):
    return History(SPACE, 27 * folds, 27), FoldScheduler(Promotion(LADDER, finish=2), 27, folds)


def test_the_rest_of_a_trial_of_several_folds_is_that_of_all_folds():
    """A trial that is finished with the last epochs of a budget needs its later folds too."""
    history, scheduler = folded()
    for _ in range(2):
        begun(history, 135, Status.COMPLETE, score=0.9)
    begun(history, 9, Status.PAUSED, [3, 9], score=0.5)
    assert scheduler.resume(history, closing=True, left=Left(100, lost=True)) is None
    assert scheduler.resume(history, closing=True, left=Left(126, lost=True)) == 2


def test_a_search_of_folds_closes_when_its_best_need_their_later_folds():
    history, scheduler = folded()
    for _ in range(2):
        begun(history, 9, Status.PAUSED, [3, 9], score=0.9)
    assert scheduler.closes(history, Left(2 * 126))
    assert not scheduler.closes(history, Left(4 * 135))


def test_when_all_is_spent_without_an_answer_one_trial_is_finished_and_not_one_a_worker():
    history = History(SPACE, 27)
    for score in (0.3, 0.5, 0.4):
        begun(history, 9, Status.PAUSED, [3, 9], score=score)
    scheduler = Promotion(LADDER)
    assert scheduler.resume(history, closing=True, left=Left(0, lost=True)) == 1
    history[1].status = Status.RUNNING
    assert scheduler.resume(history, closing=True, left=Left(0, lost=True)) is None
    assert scheduler.resume(history, closing=True, left=Left(60, lost=True)) == 2
    assert scheduler.resume(history, closing=True) == 2


@pytest.mark.parametrize("patience", [False, True])
def test_folds_that_end_early_leave_gaps_that_nothing_stumbles_over(patience):
    """The record with which a fold ends by its recipe's rule bears the fold's last epoch."""
    history = History(SPACE, 54, 27)
    run = history.begin(0, {"x": 0.5})
    epochs = [*range(1, 9), 27, *range(28, 36), 54] if patience else range(1, 55)
    for epoch in epochs:
        history.record(0, epoch, 0.5 + epoch / 1000)
    assert run.epochs == 54
    assert len(history.best_so_far(0)) == 54
    assert history.best_so_far(0)[8] == (0.508 if patience else 0.509)
    promotion = Promotion(LADDER)
    begun(history, 9, Status.PAUSED, [9], score=0.4)
    assert promotion.resume(history, closing=False) is None


def test_all_of_a_budget_of_time_is_used_and_hardly_more_than_it():
    def curve(params):
        return params["x"] * (1 - np.exp(-np.arange(1, 28) / 9)), np.full(27, 2.0)

    found = simulate(SPACE, curve, 27, budget_seconds=600, workers=2, seed=1).history
    assert 0.9 * 600 <= found["clock"].max() <= 600
    assert math.isclose(found["clock"].max() / 2.0 * 2, len(found), rel_tol=0.05)
