"""The account adds up to the wall-clock times the workers, whatever happened to trials and drivers."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from search.account import KINDS, account_of, session, sessions_of, spent
from search.ledger import LOST, Ledger, make_study, records_of
from spaces import load_space
from trainables.protocol import EpochRecord

EPOCH = {"arithmetic": 6.0, "augmentation": 1.0, "validation": 2.0, "other": 0.5, "driver": 0.5}
"""Seconds of each epoch below: ten, nine and a half of which are the epoch's own."""


def trial(
    number: int, ends: list[float], state: TrialState = TrialState.COMPLETE, **attributes
) -> FrozenTrial:
    """A trial whose epochs were recorded at those seconds since 1970."""
    metrics = {f"seconds/{kind}": seconds for kind, seconds in EPOCH.items()} | {"epoch_seconds": 9.5}
    kept = {
        f"record:{epoch}": {"time": round(1000 * end), "metrics": metrics}
        for epoch, end in enumerate(ends, 1)
    }
    made = optuna.trial.create_trial(
        state=state,
        value=0.5 if state is TrialState.COMPLETE else None,
        user_attrs={**kept, **attributes},
        intermediate_values=dict.fromkeys(range(1, len(ends) + 1), 0.5),
    )
    made.number = number
    return made


def test_all_kinds_add_up_to_the_time_of_all_workers():
    """Two workers for 50 seconds: 10 until the first trial begins, 20 of work each, then one works another 10."""
    search = [trial(0, [1020, 1030]), trial(1, [1020, 1030, 1040])]
    sessions = [{"began": 1000.0, "ended": 1050.0, "workers": 2}]
    account = account_of(search, [], sessions, 3, [search[1]])
    assert account is not None
    assert account.total == 100
    assert set(account.seconds) == set(KINDS)
    assert account.seconds["preparation"] == pytest.approx(20)
    assert account.seconds["arithmetic"] == pytest.approx(30)
    assert account.seconds["driver"] == pytest.approx(2.5)
    assert account.seconds["idle"] == pytest.approx(30)
    assert sum(account.seconds.values()) == pytest.approx(account.total)
    assert account.share("arithmetic") == pytest.approx(0.3)
    assert account.winner == pytest.approx(30)
    assert account.metrics()["account/arithmetic"] == pytest.approx(30)


def test_what_a_failure_took_is_lost_and_not_idle():
    search = [trial(0, [1010, 1020], TrialState.FAIL, **{LOST: {"lost": 4.0, "driver": 1.0}})]
    account = account_of(search, [], [{"began": 1000.0, "ended": 1030.0, "workers": 1}], 9, [])
    assert account is not None
    assert account.seconds["lost"] == 4
    assert account.seconds["driver"] == 2
    assert account.seconds["idle"] == pytest.approx(5)
    assert account.winner is None
    assert spent(records_of(search[0]), search[0])["lost"] == 4


def test_a_driver_that_was_killed_ended_with_its_last_record():
    """The ten minutes until the next one began are nobody's."""
    search = [trial(0, [1010, 1020, 1640])]
    sessions = [
        {"began": 1000.0, "ended": None, "workers": 2},
        {"began": 1620.0, "ended": 1640.0, "workers": 1},
    ]
    account = account_of(search, [], sessions, 3, [])
    assert account is not None
    assert account.total == 2 * 20 + 20
    assert account.seconds["preparation"] == pytest.approx(10)
    assert sum(account.seconds.values()) == pytest.approx(account.total)


def test_pruning_saved_what_the_epochs_would_have_taken():
    search = [trial(0, [1010, 1020], TrialState.PRUNED), trial(1, [1030]), trial(2, [1040], TrialState.FAIL)]
    account = account_of(search, [], [{"began": 1000.0, "ended": 1040.0, "workers": 1}], 10, [])
    assert account is not None
    assert account.saved == pytest.approx(8 * 9.5)


def test_the_confirmation_counts_and_is_a_part_of_what_the_winner_took():
    search, confirmation = [trial(0, [1010])], [trial(0, [1020], candidate="trial 0")]
    account = account_of(
        search, confirmation, [{"began": 1000.0, "ended": 1020.0, "workers": 1}], 1, [*search, *confirmation]
    )
    assert account is not None
    assert account.winner == pytest.approx(20)
    assert account.seconds["idle"] == pytest.approx(0)


@pytest.mark.parametrize("sessions", [[], [{"began": 1000.0, "ended": 1020.0, "workers": 1}]])
def test_what_nobody_told_is_no_account(sessions):
    """A study of an earlier version has neither; one whose trainable is not told of seconds lacks the second."""
    search = [trial(0, [1010])] if not sessions else []
    assert account_of(search, [], sessions, 1, []) is None


def test_each_driver_is_written_down_also_when_it_ends_in_an_error():
    study = make_study(optuna.storages.InMemoryStorage(), "some", optuna.samplers.RandomSampler())
    ledger = Ledger(study, load_space("probe"))
    with session(ledger, 2, 1000.0):
        assert sessions_of(ledger) == [{"began": 1000.0, "ended": None, "workers": 2}]
    with pytest.raises(ValueError, match="broken"), session(ledger, 3):
        raise ValueError("broken")
    first, second = sessions_of(ledger)
    assert first["ended"] > 1000
    assert second["ended"] >= second["began"]
    assert second["workers"] == 3


def test_what_was_spent_around_an_epoch_is_added_to_what_it_tells():
    record = EpochRecord(1, 0.5, {"seconds/other": 1.0, "lr": 0.1}).spent({"other": 0.5, "driver": 2.0})
    assert record.metrics == {"seconds/other": 1.5, "seconds/driver": 2.0, "lr": 0.1}
