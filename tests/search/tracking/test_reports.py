import json
from pathlib import Path

import optuna

from search.store import Store
from search.tracking import Projection, mlflow_states
from tests.search.tracking.parts import EPOCH_MS, EXPECTED, NAME, ledger_points, metrics_of, points, project

REPORT = {"accuracy": 0.52, "auroc": None, "confusion": [[3, 1], [0, 4]]}


COMPLETED = {**EXPECTED, 3: ("FINISHED", "COMPLETE")}


def complete_with_report(ledger: optuna.Study) -> None:
    """The living trial gets its report, and then its state."""
    ledger._storage.set_trial_user_attr(ledger.trials[3]._trial_id, "report", REPORT)
    ledger.tell(3, 0.55)


def reports(store: Store) -> list[Path]:
    return sorted(store.artifacts.rglob("report.json"))


def test_a_report_is_an_artifact_of_its_trials_run_and_written_once(
    store: Store, ledger: optuna.Study
) -> None:
    complete_with_report(ledger)
    projection = Projection(store, NAME)
    projection.sync(ledger.trials)
    assert projection.flush()
    (file,) = reports(store)
    assert json.loads(file.read_text()) == REPORT
    assert str(projection.run_id(3)) in file.parts
    assert projection.close() is None
    written = file.stat().st_mtime_ns
    for _ in range(2):
        project(store, ledger)
    assert reports(store) == [file]
    assert file.stat().st_mtime_ns == written
    assert points(store) == ledger_points(ledger.trials)


def test_a_report_that_a_dying_driver_did_not_write_comes_with_the_next(
    store: Store, ledger: optuna.Study
) -> None:
    """Killed after the last epoch's points, before the state and the report: then that run lacks both."""
    projection = Projection(store, NAME)
    projection.open_study(params={}, tags={}, artifacts={})
    projection.record(3, 1, EPOCH_MS + 1000, metrics_of(3, 1))
    assert projection.close() is None
    assert mlflow_states(store, NAME) == {3: ("RUNNING", "")}
    assert reports(store) == []
    complete_with_report(ledger)
    project(store, ledger)
    assert [json.loads(file.read_text()) for file in reports(store)] == [REPORT]
    assert mlflow_states(store, NAME) == COMPLETED


def test_a_report_that_cannot_be_written_is_spooled_with_the_rest(store: Store, ledger: optuna.Study) -> None:
    complete_with_report(ledger)
    store.artifacts.parent.mkdir(parents=True, exist_ok=True)
    store.artifacts.write_text("a file where the folder should be")
    projection = Projection(store, NAME, patience=0.1)
    projection.sync(ledger.trials)
    complaint = projection.close()
    assert complaint is not None
    assert str(store.spool(NAME)) in complaint
    store.artifacts.unlink()
    project(store, ledger)
    assert [json.loads(file.read_text()) for file in reports(store)] == [REPORT]
    assert mlflow_states(store, NAME) == COMPLETED
    assert not store.spool(NAME).exists()
