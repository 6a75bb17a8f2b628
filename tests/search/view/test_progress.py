import pytest
import time_machine
from optuna.trial import TrialState

from search.view.progress import CONFIRM, SEARCH
from tests.search.view.parts import BUDGET, RACE, Clocked, Feed, curve, make_spec


def two_trials_of_ten_seconds(view: Clocked, feed: Feed) -> None:
    """Each of ten epochs, and then stopped."""
    for _ in range(2):
        number = feed.start()
        for epoch in range(1, 11):
            view.now += 1.0
            feed.records(number, 0.1, first=epoch)
        feed.end(number, TrialState.PRUNED)


def test_counts_epochs_and_what_pruning_saved() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(), [], 2)
    feed.trial(TrialState.COMPLETE, *curve(0.93))
    feed.trial(TrialState.PRUNED, 0.3, 0.4, 0.41)
    feed.trial(TrialState.PRUNED, *curve(0.5, 9))
    feed.trial(TrialState.FAIL, 0.99, reason="diverged")
    running = feed.start()
    feed.records(running, 0.2, 0.7, 0.6)
    progress = view.progress
    assert progress.counts() == {"COMPLETE": 1, "PRUNED": 2, "FAIL": 1, "RUNNING": 1}
    assert (progress.done(), progress.total()) == (4, 10)
    assert progress.saved() == (BUDGET - 3) + (BUDGET - 9)
    assert progress.epochs() == BUDGET + 3 + 9 + 1 + 3
    [entry] = progress.running()
    assert (entry.number, entry.epochs, entry.last, entry.best) == (4, 3, 0.6, 0.7)
    assert entry.params == feed.ledgers[SEARCH].trial(4).params


def test_the_best_is_a_complete_trial_once_there_is_one_and_never_a_failed_one() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(), [], 1)
    assert view.progress.best() is None
    feed.trial(TrialState.FAIL, 0.99)
    assert view.progress.best() is None
    pruned = feed.trial(TrialState.PRUNED, 0.9, 0.8)
    assert view.progress.best().number == pruned
    assert view.progress.best().best == 0.9
    complete = feed.trial(TrialState.COMPLETE, *curve(0.7))
    assert view.progress.best().number == complete


def test_a_resumed_study_counts_what_the_ledger_has() -> None:
    past = Feed()
    past.trial(TrialState.COMPLETE, *curve(0.93))
    past.trial(TrialState.PRUNED, 0.3, 0.4, 0.41)
    left = past.start()
    past.records(left, 0.5, 0.6)
    view = Clocked()
    view.on_study(make_spec(), past.known(), 1)
    progress = view.progress
    assert (progress.done(), progress.epochs(), progress.saved()) == (2, BUDGET + 3 + 2, BUDGET - 3)
    assert progress.running() == []  # not before a worker has it
    view.on_start(SEARCH, past.ledgers[SEARCH].trial(left), 2)
    past.views = (view,)
    past.records(left, 0.65, first=3)
    [entry] = progress.running()
    assert (entry.number, entry.epochs, entry.best) == (left, 3, 0.65)
    assert progress.counts() == {"COMPLETE": 1, "PRUNED": 1, "RUNNING": 1}


def test_the_time_left_is_epochs_to_come_over_the_measured_rate() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(trials=6, finalists=0), [], 1)
    for length in (3, 9):
        number = feed.start()
        for epoch in range(1, length + 1):
            assert view.progress.seconds_left(view.now) is None  # one trial at most has ended
            view.now += 2.0
            feed.records(number, 0.1 * epoch, first=epoch)
        feed.end(number, TrialState.PRUNED)
    assert view.progress.rate(view.now) == pytest.approx(0.5)
    assert view.progress.seconds_left(view.now) == pytest.approx(4 * 6 / 0.5)  # 4 trials of 6 epochs
    number = feed.start()
    view.now += 2.0
    feed.records(number, 0.1)
    assert view.progress.seconds_left(view.now) == pytest.approx((3 * 6 + 5) / 0.5)


def test_the_confirmation_is_part_of_the_time_left() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(trials=2, finalists=3, finalist_seeds=2), [], 1)
    for seed in range(2):
        feed.enqueue("baseline", seed)
    for _ in range(2):
        number = feed.start()
        for epoch in range(1, BUDGET + 1):
            view.now += 1.0
            feed.records(number, 0.1, first=epoch)
        feed.end(number, TrialState.COMPLETE)
    assert view.progress.total(CONFIRM) == 10
    assert view.progress.seconds_left(view.now) == pytest.approx(10 * BUDGET)
    view.on_race(RACE, 4)
    number = feed.start(CONFIRM)
    view.now += 1.0
    feed.records(number, 0.1, phase=CONFIRM)
    assert view.progress.seconds_left(view.now) == pytest.approx(4 * BUDGET - 1)
    assert view.progress.running(CONFIRM)[0].label == "baseline"


def test_a_time_limit_bounds_the_time_left() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(trials=1000, finalists=0, time=60.0), [], 1)
    two_trials_of_ten_seconds(view, feed)
    assert view.progress.seconds_left(view.now) == pytest.approx(40.0)


def test_of_limited_epochs_the_search_is_shown_what_it_may_train() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(trials=None, budget_epochs=30 * BUDGET, finalists=3, finalist_seeds=3), [], 1)
    two_trials_of_ten_seconds(view, feed)
    words, share = view.progress.standing(SEARCH, view.now)
    assert words == f"2 trials, 20/{15 * BUDGET} epochs"
    assert share == pytest.approx(20 / (15 * BUDGET))
    assert view.progress.seconds_left(view.now) == pytest.approx(30 * BUDGET - 20)


def test_limited_time_is_that_of_search_and_confirmation() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(trials=None, time=20.0 * BUDGET, finalists=1, finalist_seeds=2), [], 1)
    two_trials_of_ten_seconds(view, feed)
    assert view.progress.seconds_left(view.now) == pytest.approx(20 * BUDGET - 20)
    rate = view.progress.rate(view.now)
    assert view.progress.standing(SEARCH, view.now)[1] == pytest.approx(
        20 / (20 * BUDGET - 4 * BUDGET / rate)
    )
    view.on_study(make_spec(trials=None, time=20.0, finalists=1, finalist_seeds=2), [], 1)
    assert view.progress.standing(SEARCH, view.now + 5)[1] == 0.5  # too small: the search has half of it


def test_time_of_an_earlier_driver_counts() -> None:
    past = Feed()
    with time_machine.travel(1000, tick=False) as traveller:
        number = past.start()
        for epoch in range(1, 7):
            traveller.shift(10)
            past.records(number, 0.1, first=epoch)
    view = Clocked()
    view.on_study(make_spec(trials=None, time=100.0, finalists=0), past.known(), 1)
    assert view.progress.standing(SEARCH, view.now)[1] == pytest.approx(
        0.525
    )  # an epoch of 2.5 s, five waits


def test_a_confirmation_that_goes_on_counts_what_an_earlier_driver_finished() -> None:
    past = Feed()
    for seed in range(4):
        past.enqueue("baseline", seed)
    for _ in range(2):
        past.trial(TrialState.COMPLETE, *curve(0.9), phase=CONFIRM)
    view = Clocked()
    past.views = (view,)
    view.on_study(make_spec(), [], 1)
    view.on_race(RACE, 4)
    past.start(CONFIRM)
    assert (view.progress.done(CONFIRM), view.progress.total(CONFIRM)) == (2, 4)
