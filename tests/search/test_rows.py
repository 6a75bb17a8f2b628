"""What is written into Optuna's tables at once is what Optuna's own calls would have written."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from search import Store
from search.quiet import hushed_optuna
from search.store import rows
from search.store.databases import open_storage, prepare

DISTRIBUTIONS = {
    "lr": FloatDistribution(1e-5, 1.0, log=True),
    "n": IntDistribution(1, 9),
    "kind": CategoricalDistribution(("a", "b", None)),
}
PARAMS = {"lr": 3e-4, "n": 7, "kind": None}
ATTRIBUTES = {
    "seed": 4,
    "record:1": {"time": 1, "metrics": {"x": math.nan}},
    "é": ["ü", None],
    "reason": "",
}
SCORES = {1: 0.5, 2: math.nan, 3: math.inf, 4: -math.inf, 5: 0.25}


def of_the_store(folder: Path) -> Any:
    store = Store(folder / "mlruns")
    prepare(store)
    return open_storage(store)


STORAGES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda folder: optuna.storages.InMemoryStorage(),
    "journal": lambda folder: JournalStorage(JournalFileBackend(str(folder / "journal"))),
    "tables": lambda folder: optuna.storages.RDBStorage(f"sqlite:///{folder / 'own.db'}"),
    "store": of_the_store,
}


def a_study(name: str, folder: Path) -> optuna.Study:
    folder.mkdir()
    with hushed_optuna():
        return optuna.create_study(storage=STORAGES[name](folder), direction="maximize")


def begin(study: optuna.Study) -> FrozenTrial:
    return rows.begin(study._storage, study._study_id, PARAMS, DISTRIBUTIONS, {"seed": 3})


def by_optuna(study: optuna.Study, state: TrialState, value: float | None) -> FrozenTrial:
    trial = study.ask()
    for name, distribution in DISTRIBUTIONS.items():
        inner = distribution.to_internal_repr(PARAMS[name])
        study._storage.set_trial_param(trial._trial_id, name, inner, distribution)
    for name, kept in ATTRIBUTES.items():
        trial.set_user_attr(name, kept)
    for step, score in SCORES.items():
        trial.report(score, step)
    study.tell(trial, value if state is TrialState.COMPLETE else None, state=state)
    return study.get_trials()[-1]


def at_once(study: optuna.Study, state: TrialState, value: float | None) -> FrozenTrial:
    storage, trial_id = study._storage, begin(study)._trial_id
    rows.write(storage, trial_id, {"record:1": ATTRIBUTES["record:1"]}, {1: 0.5, 2: 0.75})
    rows.write(storage, trial_id, {}, dict(list(SCORES.items())[1:]))  # epoch 2 once more
    rows.write(storage, trial_id, {"seed": 4, "é": ["ü", None]})
    ended = rows.write(storage, trial_id, {"reason": ""}, state=state, value=value)
    trial = study.get_trials()[-1]
    assert trial.datetime_complete == ended
    return trial


@pytest.mark.parametrize("name", STORAGES)
def test_the_same_as_by_optunas_own_calls(tmp_path: Path, name: str) -> None:
    ours, theirs = a_study(name, tmp_path / "ours"), a_study(name, tmp_path / "theirs")
    for state, value in ((TrialState.COMPLETE, 0.5), (TrialState.PRUNED, 0.25), (TrialState.FAIL, None)):
        got, wanted = at_once(ours, state, value), by_optuna(theirs, state, value)
        for field in ("number", "state", "params", "distributions", "values", "system_attrs"):
            assert getattr(got, field) == getattr(wanted, field), field
        for field in ("intermediate_values", "user_attrs"):  # with NaN, which is not equal to itself
            assert repr(sorted(getattr(got, field).items())) == repr(sorted(getattr(wanted, field).items()))
        assert got.datetime_start is not None
        assert got.datetime_complete is not None
        assert got.datetime_start <= got.datetime_complete
        apart = got.datetime_start - wanted.datetime_start
        assert abs(apart.total_seconds()) < 60  # in local time both
    assert len(ours.trials) == len(theirs.trials) == 3


@pytest.mark.parametrize("name", STORAGES)
def test_what_begin_returns_is_what_is_there(tmp_path: Path, name: str) -> None:
    study = a_study(name, tmp_path / "here")
    study.enqueue_trial(PARAMS)  # numbers go on after those of others
    begun = begin(study)
    there = study.get_trials()[-1]
    assert there == begun
    assert (there.number, there.state, there.params) == (1, TrialState.RUNNING, PARAMS)


@pytest.mark.parametrize("name", STORAGES)
def test_what_is_finished_is_not_written_to(tmp_path: Path, name: str) -> None:
    study = a_study(name, tmp_path / "here")
    at_once(study, TrialState.COMPLETE, 0.5)
    before = study.get_trials()
    with pytest.raises(UpdateFinishedTrialError):
        rows.write(study._storage, before[0]._trial_id, {"late": 1}, {9: 0.9})
    assert repr(study.get_trials()) == repr(before)


def test_a_record_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    study = a_study("store", tmp_path / "here")
    trial_id = begin(study)._trial_id
    with closing(sqlite3.connect(tmp_path / "here" / "mlruns" / "optuna.db")) as connection:
        connection.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON trial_intermediate_values "
            "BEGIN SELECT RAISE(ABORT, 'no space'); END"
        )
    with pytest.raises(StorageInternalError, match="no space"):
        rows.write(study._storage, trial_id, {"record:1": {}}, {1: 0.5})
    [trial] = study.get_trials()
    assert (trial.user_attrs, trial.intermediate_values) == ({"seed": 3}, {})


@pytest.mark.parametrize("name", STORAGES)
def test_a_value_that_is_no_number_is_refused_and_nothing_written(tmp_path: Path, name: str) -> None:
    study = a_study(name, tmp_path / "here")
    trial_id = begin(study)._trial_id
    with pytest.raises(ValueError, match="must be a number, but got nan"):
        rows.write(study._storage, trial_id, {"reason": ""}, state=TrialState.COMPLETE, value=math.nan)
    [trial] = study.get_trials()
    assert (trial.state, trial.user_attrs) == (TrialState.RUNNING, {"seed": 3})


def test_what_the_database_turns_down_for_a_moment_is_said_again(tmp_path: Path) -> None:
    import sqlalchemy

    storage = STORAGES["tables"](tmp_path)
    study = optuna.create_study(storage=storage)
    refusals = 2

    def refuse(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        nonlocal refusals
        if statement.startswith("INSERT INTO trial_") and refusals:
            refusals -= 1
            raise sqlalchemy.exc.OperationalError(statement, {}, Exception("deadlock"))

    sqlalchemy.event.listen(storage.engine, "before_cursor_execute", refuse)
    begun = begin(study)
    refusals = rows.ATTEMPTS - 1
    rows.write(storage, begun._trial_id, {"record:1": {}}, {1: 0.5})
    [trial] = study.get_trials()
    assert (trial.params, trial.intermediate_values) == (PARAMS, {1: 0.5})
    refusals = rows.ATTEMPTS
    with pytest.raises(StorageInternalError, match="deadlock"):
        rows.write(storage, begun._trial_id, {"record:2": {}}, {2: 0.5})
    assert study.get_trials()[0].intermediate_values == {1: 0.5}


def test_nobody_ends_a_trial_between_the_look_at_it_and_the_writing(tmp_path: Path) -> None:
    import sqlalchemy

    storage = STORAGES["tables"](tmp_path)
    study = optuna.create_study(storage=storage)
    trial_id = begin(study)._trial_id
    other = sqlite3.connect(tmp_path / "own.db", timeout=0)

    def interfere(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("INSERT"):
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("UPDATE trials SET state = 'COMPLETE'")

    sqlalchemy.event.listen(storage.engine, "before_cursor_execute", interfere)
    with closing(other):
        rows.write(storage, trial_id, {"record:1": {}}, {1: 0.5})


def test_a_deed_is_one_transaction(tmp_path: Path) -> None:
    import sqlalchemy

    storage = STORAGES["tables"](tmp_path)
    study = optuna.create_study(storage=storage)
    commits: list[object] = []
    sqlalchemy.event.listen(storage.engine, "commit", commits.append)
    trial_id = begin(study)._trial_id
    rows.write(storage, trial_id, {"record:1": {}, "report": {}}, {1: 0.5})
    rows.write(storage, trial_id, {"reason": "", "more": 1}, state=TrialState.COMPLETE, value=0.5)
    assert len(commits) == 3
