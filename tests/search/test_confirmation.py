"""The confirmation after a search: new seeds, the baseline beside, the test split once."""

from __future__ import annotations

from optuna.trial import TrialState

from search.confirm import BASELINE, Confirmation
from search.decisions.phase import Phase
from search.decisions.program import Program
from search.decisions.scheduler import Decision, NoScheduler
from tests.search.phases import (
    EPOCHS,
    SPACE,
    Told,
    curve,
    ledger_on,
    phase_on,
    policy,
    storage,
)
from trainables.protocol import EpochRecord


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
