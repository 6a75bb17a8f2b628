"""The decisions alone, on real Optuna storages, without Ray: any order of events, any death of the driver."""

from __future__ import annotations

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from search.confirm import BASELINE, Confirmation
from search.decisions.budget import Budget
from search.decisions.history import History
from search.decisions.ladder import Ladder
from search.decisions.phase import Phase
from search.decisions.policy import Policy
from search.decisions.program import Program
from search.decisions.promotion import Promotion
from search.decisions.scheduler import Decision, NoScheduler
from search.execution.asha import Asha
from search.ledger import PAUSES, Ledger, make_study, records_of
from search.searchers.uniform import Uniform
from spaces import Float, SearchSpace
from tests.search.parts import ODD
from trainables.protocol import EpochRecord

SPACE = SearchSpace({"x": Float(0, 1, default=0.5)})
EPOCHS = 9
ENDED = "no improvement by 0.01 in 2 epochs"


class Told:
    """A listener that keeps what it is told, in order."""

    def __init__(self):
        self.told = []

    def on_start(self, phase, trial, resumed_at):
        self.told.append(("start", phase, trial.number, resumed_at))

    def on_record(self, phase, number, record, time_ms):
        self.told.append(("record", phase, number, record.epoch))

    def on_pause(self, phase, number):
        self.told.append(("pause", phase, number))

    def on_end(self, phase, trial):
        self.told.append(("end", phase, trial.number, trial.state.name))

    def on_closing(self, phase, reason):
        self.closed = reason


def storage():
    return optuna.storages.InMemoryStorage()


def ledger_on(store, name="study") -> Ledger:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return Ledger(make_study(store, name, optuna.samplers.RandomSampler(seed=0)), SPACE)


def policy(scheduler, **limits) -> Policy:
    return Policy(History(SPACE, EPOCHS), Uniform(0), scheduler, Budget(**limits))


def phase_on(store, target=12, scheduler=None, listener=None, name="study") -> Phase:
    return Phase(
        "search",
        ledger_on(store, name),
        policy(scheduler or Asha(EPOCHS, 1, 3), trials=target),
        max_epochs=EPOCHS,
        seed_of=lambda number: 1000 + number,
        listener=listener or Told(),
    )


def curve(x: float, epoch: int) -> float:
    return x * (1 - 0.5**epoch)


def own_end_of(x: float, epoch: int) -> str:
    """Some recipes end themselves, one of them at a rung."""
    return ENDED if epoch == {0: 2, 1: 3}.get(int(1000 * x) % 5) else ""


def drive(phase: Phase, rng, workers: int, steps: int | None = None) -> bool:
    """Let `workers` workers run the phase in a random order; stop dead after `steps` records. True if it ended."""
    live: dict[int, list] = {}
    done = 0
    while steps is None or done < steps:
        while len(live) < workers and (assignment := phase.next()) is not None:
            live[assignment.number] = [assignment, assignment.known]
        if not live:
            assert phase.is_done
            return True
        number = rng.choice(sorted(live))
        assignment, epoch = live[number]
        epoch += 1
        live[number][1] = epoch
        fate = rng.random()
        if fate < 0.02:
            phase.on_failure(number, "a bug", diverged=fate < 0.01)
            del live[number]
        else:
            x = assignment.params["x"]
            record = EpochRecord(epoch, curve(x, epoch), {}, own_end_of(x, epoch))
            if phase.on_record(number, record) is not Decision.CONTINUE:
                del live[number]
        done += 1
    return False


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


def confirmation_on(store, finalists=2, seeds=2) -> Confirmation:
    return Confirmation(
        ledger_on(store), ledger_on(store, "study@confirm"),
        baseline=SPACE.baseline(), finalists=finalists, seeds=seeds, seed=0,
    )  # fmt: skip


def run_all(store, listener, rng) -> Confirmation:
    confirmation = confirmation_on(store)
    if not confirmation_on(store).ledger.trials() and not ledger_on(store).trials():
        ledger_on(store).enqueue(SPACE.baseline())
    search = phase_on(store, target=6, scheduler=NoScheduler(), listener=listener)
    confirm = Phase(
        "confirm", confirmation.ledger, policy(NoScheduler(), trials=confirmation.enter_baseline()), max_epochs=EPOCHS,
        seed_of=lambda number: number, listener=listener,
    )  # fmt: skip

    def choose():
        confirm.extend(confirmation.enter_finalists())

    program = Program(search, confirm, choose)
    live = {}
    while not program.is_done:
        while len(live) < 2 and (job := program.next()) is not None:
            live[job.phase, job.assignment.number] = [job, job.assignment.known]
        key = rng.choice(sorted(live))
        job, epoch = live[key]
        live[key][1] = epoch = epoch + 1
        x = job.assignment.params["x"]
        noise = (job.assignment.seed % 7) / 1000
        record = EpochRecord(epoch, curve(x, epoch) + noise, {})
        if program.on_record(*key, record) is Decision.STOP:
            del live[key]
    return confirmation


def test_the_confirmation_trains_each_candidate_with_the_same_new_seeds_and_opens_the_test_split_once():
    import random

    store, listener = storage(), Told()
    confirmation = run_all(store, listener, random.Random(0))
    opened = []

    def evaluate(training):
        opened.append(training.number)
        return training.params["x"]

    answer = confirmation.answer(evaluate)
    assert len(opened) == 4  # two seeds of the winner, two of the baseline
    assert len(answer.openings) == 1
    again = confirmation_on(store).answer(evaluate)
    assert len(opened) == 4
    assert again == answer
    complete = [trial for trial in ledger_on(store).trials() if trial.state is TrialState.COMPLETE]
    assert answer.winner.params["x"] == max(trial.params["x"] for trial in complete)
    assert list(answer.winner.test) == [answer.winner.params["x"]] * 2
    assert list(answer.baseline.test) == [0.5, 0.5]
    seeds = {}
    for trial in confirmation.ledger.trials():
        seeds.setdefault(trial.user_attrs["candidate"], set()).add(trial.user_attrs["seed"])
    assert BASELINE in seeds
    assert len({frozenset(one) for one in seeds.values()}) == 1
    search_seeds = {trial.user_attrs["seed"] for trial in complete}
    assert not search_seeds & set.union(*seeds.values())


def test_the_baselines_trainings_fill_the_workers_while_the_search_ends():
    import random

    listener = Told()
    run_all(storage(), listener, random.Random(1))
    started = [event for event in listener.told if event[0] == "start"]
    first_confirmation = next(i for i, event in enumerate(started) if event[1] == "confirm")
    last_end = max(i for i, event in enumerate(listener.told) if event[:2] == ("end", "search"))
    assert listener.told.index(started[first_confirmation]) < last_end


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


def test_a_pause_is_a_fact_that_a_later_driver_finds_whatever_it_would_decide_itself():
    store = storage()
    phase = phase_on(store, target=2, scheduler=Promotion(Ladder((1, 3), 3, EPOCHS)))
    for expected in (0, 1):
        assert phase.next().number == expected
        assert phase.on_record(expected, EpochRecord(1, 0.5 + expected / 10, {})) is Decision.PAUSE
    assert phase.next().number == 1  # the better one is finished first, up to its next pause
    for epoch in (2, 3):
        phase.on_record(1, EpochRecord(epoch, 0.7, {}))
    assert [trial.user_attrs[PAUSES] for trial in phase.ledger.trials()] == [[1], [1, 3]]
    told = Told()
    later = phase_on(store, target=2, scheduler=Promotion(Ladder((2,), 3, EPOCHS)), listener=told)
    assert [(later.next().number, *told.told[-1][3:]) for _ in range(2)] == [(1, 3), (0, 1)]
    assert [trial.user_attrs[PAUSES] for trial in later.ledger.trials()] == [[1], [1, 3]]
    longer = phase_on(store, target=9, scheduler=Promotion(Ladder((2,), 2, EPOCHS)))
    assert longer.next().number == 2  # one of the two that paused at 1 has gone on, so none is owed there


def test_a_budget_of_epochs_ends_with_the_best_finished_and_nothing_running():
    import random

    ledger = ledger_on(storage())
    told = Told()
    phase = Phase(
        "search", ledger, policy(Promotion(Ladder((1, 3), 3, EPOCHS), finish=2), epochs=60), max_epochs=EPOCHS,
        seed_of=lambda number: number, listener=told,
    )  # fmt: skip
    assert drive(phase, random.Random(1), workers=2)
    trials = ledger.trials()
    spent = sum(len(trial.intermediate_values) for trial in trials)
    assert 60 - EPOCHS <= spent <= 60 + EPOCHS
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    assert sum(trial.state is TrialState.COMPLETE for trial in trials) >= 2
    assert told.closed == "the 60 epochs of its budget are needed to finish the best trials"


def test_a_search_that_has_spent_its_time_begins_nothing_more():
    ledger, now = ledger_on(storage()), [0.0]
    phase = Phase(
        "search", ledger, policy(NoScheduler(), seconds=100), max_epochs=EPOCHS,
        seed_of=lambda number: number, listener=Told(), clock=lambda: now[0],
    )  # fmt: skip
    for expected in (0, 1):
        assert phase.next().number == expected
        for epoch in range(1, EPOCHS + 1):
            now[0] += 10
            assert (phase.on_record(expected, EpochRecord(epoch, 0.5, {})) is Decision.STOP) == (
                epoch == EPOCHS
            )
    assert now[0] == 180  # what had begun went on to its end
    assert phase.next() is None
    assert phase.is_done
    assert [trial.state for trial in ledger.trials()] == [TrialState.COMPLETE] * 2
