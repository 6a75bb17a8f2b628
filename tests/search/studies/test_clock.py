"""The machine's clock is set while a study runs: back by two hours, and later on by five."""

from __future__ import annotations

import time
from typing import Any

import pytest
import time_machine

from search import register
from search.ledger import records_of
from search.tracking.states import mlflow_states
from search.view.silent import Silent

STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}
BACK, ON = -2 * 3600, 5 * 3600


class Setting(Silent):
    """Sets the driver's clock after the third record, and again after the sixth."""

    def __init__(self, traveller: Any) -> None:
        super().__init__()
        self._traveller, self._records = traveller, 0

    def on_record(self, *told: Any, **more: Any) -> None:
        self._records += 1
        by = {3: BACK, 6: ON - BACK}.get(self._records)
        if by is not None:
            self._traveller.shift(by)


@pytest.mark.timeout(300)
def test_a_study_does_not_mind(small_study):
    """Its time is not over with it, though the clock says that five hours went by; nothing takes less than no time."""
    settings = {
        "trials": 4,
        "time": 900,
        "finalists": 1,
        "finalist_seeds": 1,
        "epochs": 3,
        "grace": 1,
        "workers": 2,
    }
    study = small_study("clock", **settings)
    began = time.monotonic()
    with time_machine.travel(time.time(), tick=True) as traveller:
        result = study.run(Setting(traveller))
    took = time.monotonic() - began
    trials = register.find_study(study.store, "clock").trials
    assert len(trials) == 4
    for trial in trials:
        assert [record.epoch for record in records_of(trial)] == list(range(1, len(records_of(trial)) + 1))
    assert {state for _, state in mlflow_states(study.store, "clock").values()} <= STATUS.keys()
    assert mlflow_states(study.store, "clock") == {
        trial.number: (STATUS[trial.state.name], trial.state.name) for trial in trials
    }
    account = result.account
    assert account is not None
    assert 0 < account.total <= 2 * took + 1
    assert all(0 <= seconds <= account.total for seconds in account.seconds.values())
