"""Pauses in the ledger, and limits that end a phase."""

from __future__ import annotations

import math

from optuna.trial import TrialState

from search.decisions.ladder import Ladder
from search.decisions.phase import Phase
from search.decisions.promotion import Promotion
from search.decisions.scheduler import Decision, NoScheduler
from search.ledger import PAUSES
from tests.search.phases import (
    EPOCHS,
    Told,
    drive,
    ledger_on,
    phase_on,
    policy,
    storage,
)
from trainables.protocol import EpochRecord


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
        seed_of=lambda number: number, listener=told, now=lambda: math.inf,
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
