"""Trials that break off: which are tried again, how often, and when there is nothing to search any more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from search import StudyError
from search.decisions.budget import Budget
from search.decisions.faults import MOST, RETRIES, Causes, since_progress, tried_again
from search.decisions.phase import Phase
from search.decisions.scheduler import Decision, NoScheduler
from search.ledger import FAULTS, LOST
from tests.search.phases import EPOCHS, Told, ledger_on, policy, storage
from trainables.protocol import EpochRecord

GONE = "its process died"


class Hands:
    """A phase without a scheduler, and a clock that the test moves."""

    def __init__(self, store, trials=2):
        self.now, self.told = 0.0, Told()
        decides = policy(NoScheduler())
        decides.budget = Budget(trials)
        self.phase = Phase(
            "search", ledger_on(store), decides, max_epochs=EPOCHS, seed_of=lambda number: number,
            listener=self.told, now=lambda: self.now,
        )  # fmt: skip

    def next(self):
        self.now += 60
        return self.phase.next()


@given(st.lists(st.integers(0, 3), max_size=20))
def test_a_trial_is_tried_again_while_it_gets_on_and_not_for_ever(steps):
    epoch, faults = 0, []
    for step in steps:
        epoch += step
        faults.append({"epoch": epoch, "reason": GONE})
        same = len([fault for fault in faults if fault["epoch"] == epoch])
        assert since_progress(faults) == same
        assert tried_again(faults) == (same <= RETRIES and len(faults) <= MOST)


def test_a_trial_that_breaks_off_waits_and_goes_on_from_where_it_was():
    hands = Hands(storage())
    number = hands.next().number
    hands.phase.on_record(number, EpochRecord(1, 0.5))
    hands.phase.on_failure(number, GONE, again=True, lost={"lost": 2.0})
    assert hands.told.told[-1] == ("fault", "search", number, GONE)
    assert hands.phase.on_record(number, EpochRecord(2, 0.9)) is Decision.STOP  # of the process that is gone
    assert hands.phase.ledger.trial(number).intermediate_values == {1: 0.5}
    assert not hands.phase.is_done
    assert hands.phase.next().number == number + 1  # a disk that is away needs a moment; others go first
    assert hands.next().known == 1
    hands.phase.on_failure(number, GONE, again=True, lost={"lost": 1.0, "start": 3.0})
    assert hands.next().number == number
    for epoch in range(2, EPOCHS + 1):
        hands.phase.on_record(number, EpochRecord(epoch, 0.6))
    trial = hands.phase.ledger.trial(number)
    assert trial.state is TrialState.COMPLETE
    assert trial.user_attrs[FAULTS] == [{"epoch": 1, "reason": GONE}] * 2
    assert trial.user_attrs[LOST] == {"lost": 3.0, "start": 3.0}


def test_faults_are_counted_over_drivers_and_end_in_fail_with_their_number():
    store = storage()
    for attempt in range(RETRIES):
        hands = Hands(store)
        number = hands.next().number
        assert number == 0
        hands.phase.on_failure(number, GONE, again=True)
        assert len(hands.phase.ledger.trial(0).user_attrs[FAULTS]) == attempt + 1
    hands = Hands(store)
    hands.next()
    hands.phase.on_failure(0, GONE, again=True, lost={"lost": 1.0})
    trial = hands.phase.ledger.trial(0)
    assert trial.state is TrialState.FAIL
    assert trial.user_attrs["reason"] == f"{GONE} (3 times)"
    assert trial.user_attrs[LOST] == {"lost": 1.0}
    assert hands.told.told[-1] == ("end", "search", 0, "FAIL")


def test_what_is_wrong_in_the_code_is_not_tried_again():
    hands = Hands(storage(), trials=1)
    hands.phase.on_failure(hands.next().number, "KeyError: 'x'")
    assert hands.phase.ledger.trial(0).state is TrialState.FAIL
    assert hands.phase.is_done


def test_a_study_ends_when_most_trials_fail_for_one_cause():
    hands = Hands(storage(), trials=20)
    for number in range(4):
        assert hands.next().number == number
        hands.phase.on_failure(number, f"RuntimeError: no file {number}.png (own.py:{number})")
    hands.next()
    law = r"^all 5 trials that have run failed for one cause: RuntimeError: no file 4\.png .* the same command goes on"
    with pytest.raises(StudyError, match=law):
        hands.phase.on_failure(4, "RuntimeError: no file 4.png (own.py:4)")
    assert hands.phase.ledger.trial(4).state is TrialState.FAIL  # and it is written down


def test_trials_that_live_and_recipes_that_diverge_do_not_count_for_a_cause():
    hands = Hands(storage(), trials=60)
    living = [hands.next().number for _ in range(3)]
    for number in living:
        hands.phase.on_record(number, EpochRecord(1, 0.5))
    for _ in range(7):  # seven of ten: less than three quarters
        hands.phase.on_failure(hands.next().number, "KeyError: 'x'")
    for _ in range(20):
        hands.phase.on_failure(hands.next().number, "diverged: loss was nan", diverged=True)
    assert len(hands.phase.ledger.trials()) == 30


@given(st.lists(st.sampled_from(["good", "a", "b"]), max_size=40))
def test_chance_and_several_causes_end_no_study(fates):
    causes, failed = Causes(), {"a": 0, "b": 0}
    for number, fate in enumerate(fates):
        if fate == "good":
            causes.ran(number)
            continue
        failed[fate] += 1
        verdict = causes.failed(number, f"cause {fate} {number}")
        assert (verdict is not None) == (failed[fate] >= max(5, 0.75 * (number + 1)))
