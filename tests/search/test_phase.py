"""The decisions alone, on real Optuna storages, without Ray: any order of events, any death of the driver."""

from __future__ import annotations

import random
import time

import numpy as np
import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from search.decisions.budget import Budget
from search.decisions.history import History
from search.decisions.ladder import Ladder
from search.decisions.phase import Phase
from search.decisions.policy import Policy
from search.decisions.promotion import Promotion
from search.decisions.scheduler import Decision, NoScheduler
from search.elapsed import elapsed
from search.execution.asha import Asha
from search.ledger import RECORD, records_of
from search.policies import make_parts
from search.searchers.uniform import Uniform
from tests.search.parts import ODD
from tests.search.phases import (
    ENDED,
    EPOCHS,
    SPACE,
    Told,
    curve,
    drive,
    ledger_on,
    own_end_of,
    phase_on,
    storage,
)
from trainables.protocol import EpochRecord


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    random=st.randoms(use_true_random=False),
    deaths=st.lists(st.integers(0, 30), max_size=4),
    scheduler=st.sampled_from([lambda: Asha(EPOCHS, 1, 3), lambda: Promotion(Ladder((1, 3), 3, EPOCHS))]),
)
def test_whatever_dies_when_the_trials_are_all_there_once_and_none_is_left_running(random, deaths, scheduler):
    store = storage()
    recorded = 0
    for steps in deaths:
        drive(phase_on(store, scheduler=scheduler()), random, workers=3, steps=steps)
        now = sum(len(trial.intermediate_values) for trial in ledger_on(store).trials())
        assert now >= recorded
        recorded = now
    assert drive(phase_on(store, scheduler=scheduler()), random, workers=3)
    trials = ledger_on(store).trials()
    assert [trial.number for trial in trials] == list(range(12))
    for trial in trials:
        assert trial.state in {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
        assert list(trial.intermediate_values) == list(range(1, len(trial.intermediate_values) + 1))
        epochs = len(trial.intermediate_values)
        ended = bool(epochs and own_end_of(trial.params["x"], epochs))
        if trial.state is not TrialState.FAIL:
            assert (trial.state is TrialState.COMPLETE) == (epochs == EPOCHS or ended)
        assert bool(trial.user_attrs["reason"]) == (trial.state is not TrialState.COMPLETE or ended)
        assert trial.user_attrs["seed"] == 1000 + trial.number


def default_on(store):
    """A phase of the default searcher and scheduler, with what it believes."""
    searcher, scheduler = make_parts("default", "default", EPOCHS, seed=0)
    decides = Policy(History(SPACE, EPOCHS), searcher, scheduler, Budget(trials=60))
    phase = Phase(
        "search",
        ledger_on(store),
        decides,
        max_epochs=EPOCHS,
        seed_of=lambda number: number,
        listener=Told(),
    )
    return phase, decides, searcher


@pytest.mark.parametrize("steps", [40, 90, 150])
def test_after_a_death_the_same_is_believed_as_before(steps):
    """Trials that diverged count from when they did: a fit of the hyperparameters looked at those that had."""
    store = storage()
    phase, policy, searcher = default_on(store)
    rng = random.Random(1)
    live, lost = {}, 0
    for _ in range(steps):
        while len(live) < 3 and (assignment := phase.next()) is not None:
            live[assignment.number] = [assignment.known, assignment.params["x"]]
        number = rng.choice(sorted(live))
        live[number][0] += 1
        epoch, x = live[number]
        if x > 0.7 and epoch > 1:
            phase.on_failure(number, "diverged", diverged=True)
            del live[number]
            lost += 1
        elif phase.on_record(number, EpochRecord(epoch, curve(x, epoch), {})) is not Decision.CONTINUE:
            del live[number]
        time.sleep(0.002)  # the ledger's clock has milliseconds
    assert lost
    _, resumed, again = default_on(store)
    for history, one in ((policy.history, searcher), (resumed.history, again)):
        assert one._forecast.update(history)
    shapes = [one._forecast._process.shape for one in (searcher, again)]
    assert all(np.array_equal(getattr(shapes[0], name), getattr(shapes[1], name)) for name in vars(shapes[0]))


def test_after_a_death_the_search_is_as_far_as_it_was():
    """Of a limited time too: records are judged again as they were when they came."""
    store = storage()
    ledger = ledger_on(store)
    for number in range(2):
        ledger.ask(lambda number: number, {"x": 0.5})
        for epoch in (1, 2):
            ledger.record(number, EpochRecord(epoch, 0.5, {"epoch_seconds": 0.05}))
            time.sleep(0.05)
    trials = ledger.trials()
    seconds = elapsed(trials)
    assert list(seconds.values()) == pytest.approx([0.05, 0.1, 0.15, 0.2], abs=0.03)
    judged = []
    policy = Policy(History(SPACE, EPOCHS), Uniform(0), NoScheduler(), Budget(seconds=0.4))
    scheduler = policy._scheduler
    scheduler.on_record = lambda history, *_: judged.append(history.spent) or Decision.CONTINUE
    Phase("search", ledger, policy, max_epochs=EPOCHS, seed_of=int, listener=Told())
    assert judged == pytest.approx([0.125, 0.25, 0.375, 0.5], abs=0.1)
    assert policy.history.began == pytest.approx(0.0, abs=1e-6)


def kept(number, moments, metrics):
    """A trial whose records came at these seconds."""
    trial = optuna.trial.create_trial(
        state=TrialState.RUNNING,
        intermediate_values={epoch: 0.5 for epoch, _ in enumerate(moments, start=1)},
        user_attrs={
            f"{RECORD}{epoch}": {"time": int(1000 * moment), "metrics": metrics}
            for epoch, moment in enumerate(moments, start=1)
        },
    )
    trial.number = number
    return trial


@pytest.mark.parametrize("metrics", [{"epoch_seconds": 300.0}, {}], ids=["told", "not told"])
def test_time_without_a_driver_is_not_counted_and_long_epochs_are(metrics):
    trials = [kept(0, [1000, 1300, 1600], metrics), kept(1, [1900, 9000, 9300], metrics)]
    assert elapsed(trials)[1, 3] == pytest.approx(300 * 5)
    assert elapsed([]) == {}


def test_a_driver_that_died_between_the_last_record_and_the_state_trains_nothing_again():
    store = storage()
    phase = phase_on(store, target=1, scheduler=NoScheduler())
    one = phase.next()
    for epoch in range(1, EPOCHS + 1):
        phase.ledger.record(one.number, EpochRecord(epoch, 0.1 * epoch, {}))  # and dies before `finish`
    listener = Told()
    resumed = phase_on(store, target=1, scheduler=NoScheduler(), listener=listener)
    assert resumed.next() is None
    assert listener.told == [("start", "search", 0, EPOCHS), ("end", "search", 0, "COMPLETE")]
    assert ledger_on(store).trials()[0].value == pytest.approx(0.9)


def test_a_driver_that_died_between_a_rungs_record_and_its_decision_prunes_the_trial_it_would_have():
    store = storage()
    phase = phase_on(store, target=3)
    first, second = phase.next(), phase.next()
    assert phase.on_record(first.number, EpochRecord(1, 0.9, {})) is Decision.CONTINUE
    phase.ledger.record(second.number, EpochRecord(1, 0.1, {}))  # and dies before the scheduler is asked
    listener = Told()
    resumed = phase_on(store, target=3, listener=listener)
    assert [resumed.next().number, resumed.next().number] == [0, 2]
    pruned = resumed.ledger.trial(second.number)
    assert pruned.state is TrialState.PRUNED
    assert pruned.user_attrs["reason"] == "stopped by the scheduler at epoch 1"
    assert ("end", "search", 1, "PRUNED") in listener.told


def test_a_record_that_is_told_twice_counts_once():
    phase = phase_on(storage(), target=2)
    one = phase.next()
    assert phase.on_record(one.number, EpochRecord(1, 0.5, {})) is Decision.CONTINUE
    assert phase.on_record(one.number, EpochRecord(1, 0.5, {})) is Decision.CONTINUE
    assert phase.ledger.trial(one.number).intermediate_values == {1: 0.5}


def test_a_record_after_the_end_changes_nothing():
    phase = phase_on(storage(), target=1)
    one = phase.next()
    phase.on_failure(one.number, "gone")
    assert phase.on_record(one.number, EpochRecord(1, 0.5, {})) is Decision.STOP
    assert phase.ledger.trial(one.number).state is TrialState.FAIL


@settings(max_examples=20, deadline=None)
@given(scores=st.lists(st.lists(st.floats(0, 1), min_size=EPOCHS, max_size=EPOCHS), min_size=2, max_size=12))
def test_replayed_asha_decides_as_if_it_had_never_stopped(scores):
    whole, kept = Asha(EPOCHS, 1, 3), []
    cut = len(scores) // 2
    decisions = []
    for number, values in enumerate(scores):
        for epoch, value in enumerate(values, start=1):
            decision = whole.on_record(None, number, epoch, value)
            decisions.append((number, epoch, decision))
            if number < cut:
                kept.append((number, epoch, value))
            if decision is Decision.STOP:
                break
    replayed = Asha(EPOCHS, 1, 3)
    for event in kept:
        replayed.on_record(None, *event)
    for number, epoch, decision in decisions:
        if number >= cut:
            assert replayed.on_record(None, number, epoch, scores[number][epoch - 1]) is decision


def test_asha_stops_the_weak_at_its_rungs_and_nowhere_else():
    asha = Asha(27, 3, 3)
    for number, score in enumerate([0.9, 0.8, 0.7]):
        for epoch in (1, 2):
            assert asha.on_record(None, number, epoch, 0.0) is Decision.CONTINUE
        expected = Decision.CONTINUE if number == 0 else Decision.STOP
        assert asha.on_record(None, number, 3, score) is expected


def test_a_recipe_that_ends_itself_is_complete_and_says_why():
    store, told = storage(), Told()
    phase = phase_on(store, target=1, listener=told)
    number = phase.next().number
    assert phase.on_record(number, EpochRecord(1, 0.5)) is Decision.CONTINUE
    assert phase.on_record(number, EpochRecord(2, 0.5, {}, ENDED, {"f1": 0.4})) is Decision.STOP
    trial = ledger_on(store).trial(number)
    assert trial.state is TrialState.COMPLETE
    assert trial.value == 0.5
    assert trial.user_attrs["reason"] == f"ended by its own rule at epoch 2: {ENDED}"
    assert trial.user_attrs["report"] == {"f1": 0.4}
    assert [record.ended for record in records_of(trial)] == ["", ENDED]
    assert told.told[-1] == ("end", "search", number, "COMPLETE")
    assert phase.is_done


def test_a_driver_that_dies_before_it_can_say_so_is_followed_by_one_that_does():
    store = storage()
    phase = phase_on(store, target=1)
    number = phase.next().number
    phase.on_record(number, EpochRecord(1, 0.5))
    phase.ledger.record(number, EpochRecord(2, 0.5, {}, ENDED))  # written; then the power goes
    assert ledger_on(store).trial(number).state is TrialState.RUNNING
    later = phase_on(store, target=1)
    assert later.next() is None
    trial = ledger_on(store).trial(number)
    assert trial.state is TrialState.COMPLETE
    assert trial.user_attrs["reason"].endswith(ENDED)
    assert later.is_done


@pytest.mark.parametrize("dies", [False, True])
def test_a_trial_that_ends_itself_at_a_rung_counts_there_whether_or_not_the_driver_dies(dies):
    store = storage()
    phase = phase_on(store, target=2)
    weak, strong = phase.next().number, phase.next().number
    assert phase.on_record(weak, EpochRecord(1, 0.5, {})) is Decision.CONTINUE  # the first to come there
    for epoch in (1, 2, 3):
        phase.on_record(strong, EpochRecord(epoch, 0.9, {}, ENDED if epoch == 3 else ""))
    assert phase.ledger.trial(strong).state is TrialState.COMPLETE
    if dies:
        phase = phase_on(store, target=2)
        assert phase.next().number == weak
    assert phase.on_record(weak, EpochRecord(2, 0.6, {})) is Decision.CONTINUE
    assert phase.on_record(weak, EpochRecord(3, 0.6, {})) is Decision.STOP
    assert phase.ledger.trial(weak).state is TrialState.PRUNED


def test_a_record_outlives_any_storage_whatever_its_metrics_are_called(tmp_path):
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    store = optuna.storages.RDBStorage(url)
    phase = phase_on(store, target=1)
    number = phase.next().number
    phase.on_record(number, EpochRecord(1, 0.5, ODD, ENDED, {"per_class": {"a/b": {"auroc": None}}}))
    store.engine.dispose()
    again = optuna.storages.RDBStorage(url)
    trial = ledger_on(again).trial(number)
    (record,) = records_of(trial)
    assert record.ended == ENDED
    assert repr(record.metrics) == repr(ODD)  # NaN is not equal to itself
    assert trial.user_attrs["report"] == {"per_class": {"a/b": {"auroc": None}}}
    again.engine.dispose()


@pytest.mark.parametrize("score", [np.float32(0.5), np.float64(0.5), 1, True])
def test_a_score_is_a_float_in_the_ledger_whatever_it_was(score):
    ledger = ledger_on(storage())
    number = ledger.ask(lambda number: number, SPACE.baseline()).number
    ledger.record(number, EpochRecord(1, score, {}))
    for trial in (ledger.trial(number), ledger.trials()[number]):
        assert [(type(kept), kept) for kept in trial.intermediate_values.values()] == [(float, float(score))]
