"""What ends a search: trials, epochs, time, or that nothing more is to be expected."""

from __future__ import annotations

import numpy as np
import pytest

from search.decisions.budget import Budget, Left, Stage
from search.decisions.history import History, Status
from search.decisions.policy import Policy
from search.policies import make_parts
from search.simulation import simulate
from search.simulation.families import made_up
from spaces import Float, InputError, SearchSpace

SPACE = SearchSpace({"x": Float(0, 1), "y": Float(0, 1)})
EPOCHS = 27


def curve(params):
    final = 0.9 - (params["x"] - 0.3) ** 2 - (params["y"] - 0.6) ** 2
    return final * (1 - 0.8 ** np.arange(1, EPOCHS + 1)), np.full(EPOCHS, 2.0)


def history(*lengths, complete=()):
    made = History(SPACE, EPOCHS)
    for number, epochs in enumerate(lengths):
        made.begin(number, {"x": 0.5, "y": 0.5})
        for epoch in range(1, epochs + 1):
            made.record(number, epoch, 0.5)
        made[number].status = Status.COMPLETE if number in complete else Status.PAUSED
    return made


def never(_, left):
    return left.together <= 0


@pytest.mark.parametrize(
    ("limits", "seconds", "expected"),
    [
        ({}, 1e9, Stage.OPEN),
        ({"trials": 4}, 0.0, Stage.OPEN),
        ({"trials": 3}, 0.0, Stage.CLOSING),
        ({"epochs": 34}, 0.0, Stage.OPEN),
        ({"epochs": 33}, 0.0, Stage.OVER),
        ({"seconds": 100}, 99.0, Stage.OPEN),
        ({"seconds": 100}, 100.0, Stage.OVER),
        ({"trials": 3, "seconds": 100}, 101.0, Stage.OVER),
    ],
)
def test_the_first_limit_that_is_reached_ends_a_search(limits, seconds, expected):
    seen = history(27, 3, 3, complete=(0,))
    assert Budget(**limits).stage(seen, seconds, never) is expected


def test_a_search_without_a_complete_trial_finishes_one_whatever_it_costs():
    assert Budget(epochs=6).stage(history(3, 3), 0.0, never) is Stage.CLOSING
    assert Budget(seconds=5).stage(history(), 6.0, never) is Stage.CLOSING


def test_time_becomes_epochs_at_the_pace_so_far():
    asked = []
    Budget(seconds=100).stage(history(20), 40.0, lambda _, left: bool(asked.append(left.together)))
    assert asked == [pytest.approx(30.0)]
    asked.clear()
    Budget(epochs=25, seconds=100).stage(history(20), 40.0, lambda _, left: bool(asked.append(left.together)))
    assert asked == [5]


def test_a_slow_start_is_not_taken_for_the_pace():
    """Thirty seconds for four epochs of half a second each do not mean that four more are left."""
    begun = History(SPACE, EPOCHS)
    for number in range(2):
        begun.begin(number, {"x": 0.5, "y": 0.5})
        for epoch in (1, 2):
            begun.record(number, epoch, 0.5, seconds=0.5)
    left = Budget(seconds=60, workers=2).left(begun, 30.0)
    assert left == Left(60, 30, lost=True)  # two workers, each a second for an epoch of half a one
    for epoch in range(3, 23):
        begun.record(0, epoch, 0.5, seconds=0.5)
    assert Budget(seconds=60, workers=2).left(begun, 12.0).together == pytest.approx(48 * 24 / 12)


@pytest.mark.parametrize("limit", ["budget_epochs", "budget_seconds"])
def test_the_last_of_a_budget_finishes_the_best(limit):
    """No new trial begins near the end; what is trained there comes to its full length."""
    amount = 15 * EPOCHS
    budget = amount if limit == "budget_epochs" else amount * 2.0 / 4  # 2 s an epoch, 4 workers
    found = simulate(SPACE, curve, EPOCHS, seed=1, **{limit: budget})
    table, runs = found.history, found.runs
    begun = table[table["epoch"] == 1].index.max()
    assert begun < len(table) - 10
    assert "are needed to finish the best trials" in found.reason
    best = max((run for run in runs if run.status is Status.COMPLETE), key=lambda run: run.scores[EPOCHS])
    assert (table["epoch"][begun:] == EPOCHS).any()
    assert best.scores[EPOCHS] > curve({"x": 0.3, "y": 0.6})[0][-1] - 0.002
    assert amount - 40 <= len(table) <= amount


def test_no_more_trials_are_being_finished_than_what_is_left_is_enough_for():
    """Which are the best changes while they run, and each that was among them once is still running."""
    runs = history(27, 20, 20, 9, complete=(0,))
    runs[1].status = runs[2].status = Status.RUNNING
    _, scheduler = make_parts("random", "promotion", EPOCHS, seed=0)
    for lost in (True, False):
        assert scheduler.resume(runs, closing=True, left=Left(7 + 7 + 18, lost=lost)) == (3 if lost else None)
        assert scheduler.resume(runs, closing=True, left=Left(7 + 7 + 17, lost=lost)) is None
    _, more = make_parts("random", "promotion", EPOCHS, seed=0, finish=4)
    assert more.resume(runs, closing=True, left=Left(7 + 7 + 18)) == 3
    assert more.resume(runs, closing=True, left=Left(7 + 7 + 17)) is None


def test_of_the_best_that_one_is_finished_that_what_is_left_is_enough_for():
    runs = history(27, 3, 15, complete=(0,))
    _, scheduler = make_parts("random", "promotion", EPOCHS, seed=0)
    assert scheduler.resume(runs, closing=True, left=Left(24)) == 1
    assert scheduler.resume(runs, closing=True, left=Left(20, 20)) == 2
    runs[0].status = Status.STOPPED  # without an answer one is finished whatever it costs
    assert scheduler.resume(runs, closing=True, left=Left(20, 20)) == 1


def test_no_worker_idles_because_another_will_not_be_done_in_time():
    """Of the time that is left a trial takes no more than one worker's."""
    runs = history(27, 2, 15, complete=(0,))
    runs[1].status, runs[1].pauses = Status.RUNNING, [1]
    _, scheduler = make_parts("random", "promotion", EPOCHS, seed=0)
    assert scheduler.resume(runs, closing=True, left=Left(30, 15, lost=True)) == 2


def test_an_epoch_of_a_dear_recipe_takes_more_of_the_time_that_is_left():
    def told(seconds):
        made = History(SPACE, EPOCHS)
        for number, (epochs, each) in enumerate(((EPOCHS, 2.0), (15, seconds), (15, 2.0))):
            made.begin(number, {"x": 0.5, "y": 0.5})
            for epoch in range(1, epochs + 1):
                made.record(number, epoch, 0.5, each)
            made[number].status = Status.PAUSED if number else Status.COMPLETE
        return made

    _, scheduler = make_parts("random", "promotion", EPOCHS, seed=0)
    assert scheduler.resume(told(2.0), closing=True, left=Left(28, 14)) == 1
    assert scheduler.resume(told(4.0), closing=True, left=Left(28, 14)) == 2
    assert scheduler.resume(told(4.0), closing=True, left=Left(14)) == 1  # epochs are epochs
    assert scheduler.closes(told(4.0), Left(30, 30))
    assert not scheduler.closes(told(2.0), Left(30, 30))


def test_one_worker_finishes_a_dear_recipe_while_the_others_go_on_trying():
    made = History(SPACE, EPOCHS)
    for number, (epochs, each) in enumerate(((EPOCHS, 2.0), (3, 4.0), (1, 2.0), (1, 2.0))):
        made.begin(number, {"x": 0.5, "y": 0.5})
        for epoch in range(1, epochs + 1):
            made.record(number, epoch, 0.6 - 0.1 * number, each)
    made[0].status, made[1].status, made[1].pauses = Status.COMPLETE, Status.PAUSED, [3]
    _, scheduler = make_parts("random", "promotion", EPOCHS, seed=0)
    rest = 24 * 4.0 / (70 / 32)  # in epochs of 70 / 32 seconds, as the usual one takes

    def resumed(each):
        return scheduler.resume(made, closing=False, left=Left(4 * each, each))

    assert resumed(2 * rest) is None
    assert resumed(rest + 1) == 1
    assert resumed(rest - 1) is None  # too late
    assert (
        scheduler.resume(made, closing=False, left=Left(rest + 1)) is None
    )  # epochs are not lost by waiting
    assert not scheduler.closes(made, Left(4 * (rest + 1), rest + 1))
    made[1].status = Status.RUNNING
    assert resumed(rest + 1) is None


@pytest.mark.parametrize("seed", range(3))
def test_no_time_is_idle_though_some_recipes_are_four_times_as_dear(seed):
    def dear(params):
        scores, _ = curve(params)
        return scores, np.full(EPOCHS, 1.0 + 3.0 * params["x"])  # and so are the best

    found = simulate(SPACE, dear, EPOCHS, budget_seconds=15 * EPOCHS, workers=4, seed=seed)
    used = sum(run.seconds for run in found.runs) / (4 * 15 * EPOCHS)
    assert 0.93 < used <= 1.0


def test_what_was_resumed_to_be_finished_takes_all_that_it_needs():
    """Though it may pause once more on its way."""
    runs = history(27, 27, 27, 9, 9, complete=range(3))
    runs[3].status, runs[3].pauses = Status.RUNNING, [9]
    _, scheduler = make_parts("random", "promotion", EPOCHS, seed=0)
    assert scheduler.resume(runs, closing=True, left=Left(18 + 17, lost=True)) is None
    assert scheduler.resume(runs, closing=True, left=Left(18 + 18, lost=True)) == 4


def test_what_is_trained_last_comes_to_its_end():
    """Of the last fifth of a budget hardly an epoch is lost to trials that are cut off before they are done."""
    lost = []
    for seed in range(6):
        found = simulate(SPACE, curve, EPOCHS, 15 * EPOCHS, seed=seed)
        late = found.history.iloc[-3 * EPOCHS :]
        ends = {run.number: run.status for run in found.runs}
        cut = late["trial"][[ends[number] is Status.RUNNING for number in late["trial"]]]
        lost.append(len(cut) / len(late))
    assert np.mean(lost) < 0.15


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", [{"budget_epochs": 15 * EPOCHS}, {"budget_seconds": 7.5 * EPOCHS}], ids=str)
def test_what_is_left_paused_would_not_have_been_better(limit, seed):
    runs = simulate(SPACE, curve, EPOCHS, seed=seed, **limit).runs
    finals = {run.number: curve(run.params)[0][-1] for run in runs}
    complete = {run.number for run in runs if run.status is Status.COMPLETE}
    assert len(complete) >= 3
    best = max(finals[number] for number in complete)
    assert max(final for number, final in finals.items() if number not in complete) < best + 0.001


def test_what_is_spare_finishes_the_next_best():
    """As far as it is enough for them, what others still need left out: until their next pause."""
    runs = history(27, 27, 27, 9, 14, 3, complete=range(3))
    runs[5].status = Status.RUNNING
    _, scheduler = make_parts("random", "promotion", EPOCHS, seed=0)
    assert scheduler.resume(runs, closing=True) is None  # the best are finished, and nothing is lost
    assert scheduler.resume(runs, closing=True, left=Left(6 + 18, 18, lost=True)) == 3
    assert scheduler.resume(runs, closing=True, left=Left(6 + 17, 18, lost=True)) == 4
    assert scheduler.resume(runs, closing=True, left=Left(1000, 17, lost=True)) == 4
    assert scheduler.resume(runs, closing=True, left=Left(6 + 12, lost=True)) is None
    assert Budget(epochs=200).left(runs, 107.0) == Left(93, lost=True)
    assert Budget(seconds=200).left(runs, 107.0) == Left(93, 93, lost=True)
    assert Budget(trials=6, epochs=200).left(runs, 107.0) == Left(93, lost=False)  # it closes by its trials
    assert Budget(trials=9).left(runs, 107.0) == Left(np.inf)


def test_no_trial_begins_that_could_not_be_finished():
    """Though the best are finished, and nothing needs what is left."""
    finished = history(27, 27, 27, 27, complete=range(4))
    _, scheduler = make_parts("default", "default", EPOCHS, seed=0)
    assert scheduler.closes(finished, Left(EPOCHS - 1))
    assert scheduler.closes(finished, Left(1000, EPOCHS - 1))
    assert not scheduler.closes(finished, Left(EPOCHS, EPOCHS))
    assert not scheduler.closes(history(5), Left(EPOCHS - 1))  # too few to choose from


def test_a_search_ends_by_itself_when_nothing_more_is_to_be_expected():
    found = simulate(SPACE, curve, EPOCHS, trials=400, enough=0.002, seed=0)
    assert found.reason == "no new recipe is expected to gain 0.002 more"
    assert 20 <= len(found.runs) < 200
    assert found.best_at(np.inf) > curve({"x": 0.3, "y": 0.6})[0][-1] - 0.004
    greedy = simulate(SPACE, curve, EPOCHS, trials=100, enough=1e-9, seed=0)
    assert greedy.reason == "all 100 trials have begun"


def test_a_hard_search_does_not_end_by_itself_early():
    task = made_up("zoo", 0)
    found = simulate(task.space, task.curve, task.max_epochs, trials=80, enough=0.001, seed=0)
    assert found.reason == "all 80 trials have begun"


def test_only_a_searcher_that_foresees_can_end_a_search():
    with pytest.raises(InputError, match="needs a searcher that foresees"):
        simulate(SPACE, curve, EPOCHS, trials=4, enough=0.1, searcher="random")


def test_a_search_that_has_ended_by_itself_still_keeps_to_its_budget():
    """What is enough is found early here; finishing the best must not go beyond the epochs there are."""
    seen = history(27, 3, 3, complete=(0,))
    searcher, scheduler = make_parts("default", "default", EPOCHS, seed=0)
    searcher.gain = lambda _: 0.0
    policy = Policy(seen, searcher, scheduler, Budget(epochs=33, enough=0.5))
    assert policy.stage(0.0) is Stage.OVER
    policy = Policy(seen, searcher, scheduler, Budget(epochs=500, enough=0.5))
    assert policy.stage(0.0) is Stage.CLOSING
    assert policy.reason(0.0) == "no new recipe is expected to gain 0.5 more"
