import logging
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from search.store import Store
from search.store.quiet import hushed
from search.tracking import Projection, mlflow_states
from tests.search.tracking.parts import (
    EPOCH_MS,
    EXPECTED,
    NAME,
    ledger_points,
    metrics_of,
    points,
    project,
    query,
    run_of,
)


def test_a_study_is_projected_live(store: Store, ledger: optuna.Study) -> None:
    projection = Projection(store, NAME)
    projection.open_study(
        params={"budget.trials": "4"}, tags={"git.commit": "abc"}, artifacts={"spec.yaml": "trials: 4\n"}
    )
    for trial in ledger.trials[:4]:
        projection.start(trial)
        for epoch in range(1, len(trial.intermediate_values) + 1):
            best = max(value for step, value in trial.intermediate_values.items() if step <= epoch)
            metrics = {"score": best, **metrics_of(trial.number, epoch)}
            projection.record(trial.number, epoch, EPOCH_MS + 1000 * epoch, metrics)
        if trial.state.is_finished():
            projection.end(trial)
    assert projection.flush()
    assert mlflow_states(store, NAME) == EXPECTED
    assert points(store) == ledger_points(ledger.trials)

    run = run_of(store, projection, 1)
    trial = ledger.trials[1]
    assert run.info.run_name == "trial-001"
    assert run.data.params == {name: str(value) for name, value in trial.params.items()}
    tags = {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
    assert tags == {
        "study.name": NAME,
        "study.uid": "-",
        "study.phase": "search",
        "trial.number": "1",
        "trial.state": "PRUNED",
        "trial.seed": "11",
        "trial.epochs": "2",
        "trial.reason": "stopped by ASHA at epoch 2",
    }
    assert run.data.tags["mlflow.parentRunId"] == projection.parent_id
    assert run.data.metrics["score"] == pytest.approx(0.53)
    assert trial.datetime_complete is not None
    assert run.info.start_time == EPOCH_MS + 1000  # its first epoch, not when it was asked for
    assert run.info.end_time == round(trial.datetime_complete.timestamp() * 1000)

    projection.annotate(
        tags={"study.best": "0"}, metrics={"best/score": 0.52}, artifacts={"report.html": "<p>"}
    )
    parent_id = projection.parent_id
    assert projection.close() is None
    parent = run_of(store, projection, None)
    assert parent.info.run_id == parent_id
    assert (parent.info.run_name, parent.info.status) == (NAME, "FINISHED")
    assert parent.data.params == {"budget.trials": "4"}
    assert parent.data.tags["git.commit"] == "abc"
    assert parent.data.metrics == {"best/score": 0.52}
    folder = Path(parent.info.artifact_uri.removeprefix("file://"))
    assert folder.is_relative_to(store.artifacts)
    assert (folder / "spec.yaml").read_text() == "trials: 4\n"
    assert (folder / "report.html").read_text() == "<p>"
    assert not store.spool(NAME).exists()


def test_what_a_run_held_is_forgotten_when_it_ends_and_read_again_if_it_goes_on(
    store: Store, ledger: optuna.Study
) -> None:
    """A study of thousands of trials must not hold all their points in the driver's memory."""
    projection = Projection(store, NAME)
    projection.open_study(params={}, tags={}, artifacts={})
    projection.sync(ledger.trials)
    assert projection.flush()
    writer = projection._delivery._writer
    assert writer is not None
    assert writer._runs is not None
    for number, held in writer._runs.items():
        running = number is None or EXPECTED[number][0] == "RUNNING"
        assert bool(held.tags or held.points) is running
        assert projection.run_id(number) == held.run_id if number is not None else projection.parent_id
    whole = points(store)
    projection.end(ledger.trials[0])
    projection.record(0, 4, EPOCH_MS + 4000, {"lr": 2e-3})
    assert projection.close() is None
    assert points(store) == sorted([*whole, (0, "lr", 4, EPOCH_MS + 4000, 2e-3)])


def test_many_metrics_an_epoch_arrive_under_their_own_names(store: Store, ledger: optuna.Study) -> None:
    names = [*(f"lr/layer_{index}" for index in range(40)), "train/update_ratio", "memory/peak_mb", "a/b/c"]
    projection = Projection(store, NAME)
    projection.start(ledger.trials[3])
    for epoch in range(1, 31):
        projection.record(3, epoch, EPOCH_MS + 1000 * epoch, dict.fromkeys(names, 0.1 * epoch))
    assert projection.flush()
    assert set(names) <= set(run_of(store, projection, 3).data.metrics)
    assert query(store, "SELECT count(*) FROM metrics WHERE key = 'lr/layer_39'") == [(30,)]
    assert projection.close() is None


def test_projecting_again_doubles_nothing(store: Store, ledger: optuna.Study) -> None:
    projection = Projection(store, NAME)
    told: list[int] = []
    projection.sync(ledger.trials, told.append)
    projection.sync(ledger.trials, told.append)
    assert projection.flush()
    assert told == [3]  # those that have ended, once
    expected = ledger_points(ledger.trials)
    assert points(store) == expected
    assert projection.close() is None
    for _ in range(2):
        project(store, ledger)
        assert points(store) == expected
        assert mlflow_states(store, NAME) == EXPECTED
    assert query(store, "SELECT count(*) FROM runs") == [(5,)]


def test_an_empty_mlflow_is_filled_again_from_the_ledger(
    store: Store, prepared: Path, ledger: optuna.Study
) -> None:
    project(store, ledger)
    before = points(store)
    # Another file name, since MLflow keeps connections to a file for as long as the process lives.
    shutil.copy(prepared / "mlflow.db", store.root / "again.db")
    again = Store(store.root, mlflow=f"sqlite:///{store.root / 'again.db'}")
    project(again, ledger)
    with closing(sqlite3.connect(store.root / "again.db")) as connection:
        assert connection.execute("SELECT count(*) FROM metrics").fetchone() == (len(before),)
    assert mlflow_states(again, NAME) == EXPECTED


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE runs SET status = 'RUNNING', end_time = NULL",
        "UPDATE runs SET status = 'FINISHED'",
        "UPDATE tags SET value = 'RUNNING' WHERE key = 'trial.state'",
        "DELETE FROM tags WHERE key IN ('trial.reason', 'trial.epochs')",
        "DELETE FROM params",
        "DELETE FROM metrics WHERE step >= 2; DELETE FROM latest_metrics WHERE step >= 2",
        "DELETE FROM metrics; DELETE FROM latest_metrics; UPDATE runs SET status = 'RUNNING'",
    ],
)
def test_sync_mends(store: Store, ledger: optuna.Study, damage: str) -> None:
    project(store, ledger)
    expected = points(store)
    params = query(store, "SELECT key, value FROM params ORDER BY 1, 2")
    assert params
    with closing(sqlite3.connect(store.mlflow_db, timeout=60)) as connection:
        connection.executescript(damage)
    projection, told = Projection(store, NAME), []
    projection.sync(ledger.trials, told.append)
    assert projection.flush()
    assert told
    assert 1 <= told[0] <= 3
    assert mlflow_states(store, NAME) == EXPECTED
    assert points(store) == expected
    assert query(store, "SELECT key, value FROM params ORDER BY 1, 2") == params
    run = run_of(store, projection, 2)
    assert run.data.tags["trial.reason"] == "diverged: loss is nan at epoch 2"
    assert projection.close() is None


DRIVER = """
import os, signal, sys, optuna
from search.store import Store, open_storage
from search.tracking import Projection
store = Store(sys.argv[1])
trial = optuna.load_study(study_name="digits-1", storage=open_storage(store)).trials[3]
projection = Projection(store, "digits-1")
projection.open_study(params={}, tags={}, artifacts={})
projection.start(trial)
assert projection.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_left_by_a_killed_driver_is_ended_by_sync(store: Store, ledger: optuna.Study) -> None:
    subprocess.run([sys.executable, "-c", DRIVER, store.root], check=False)
    assert mlflow_states(store, NAME) == {3: ("RUNNING", "RUNNING")}
    ledger.tell(3, 0.55)
    project(store, ledger)
    assert mlflow_states(store, NAME) == {**EXPECTED, 3: ("FINISHED", "COMPLETE")}
    assert query(store, "SELECT count(*) FROM runs") == [(5,)]


def test_a_trial_that_goes_on_is_running_again(store: Store, ledger: optuna.Study) -> None:
    project(store, ledger)
    with closing(sqlite3.connect(store.mlflow_db, timeout=60)) as connection:
        connection.execute("UPDATE runs SET status = 'KILLED', end_time = 1")
        connection.commit()
    projection = Projection(store, NAME)
    projection.open_study(params={}, tags={}, artifacts={})
    projection.start(ledger.trials[3])
    assert projection.flush()
    assert mlflow_states(store, NAME)[3] == ("RUNNING", "RUNNING")
    assert run_of(store, projection, None).info.status == "RUNNING"
    assert projection.close() is None


def test_a_run_made_twice_is_found_and_one_taken_away(store: Store, ledger: optuna.Study) -> None:
    project(store, ledger)
    with hushed():
        from mlflow import MlflowClient

        client = MlflowClient(store.mlflow_uri)
        experiment = client.get_experiment_by_name(NAME)
        run = client.search_runs([experiment.experiment_id], "tags.`trial.number` = '1'")[0]
        client.create_run(experiment.experiment_id, tags=run.data.tags)
    with pytest.raises(ValueError, match="trial 1 of digits-1 has more"):
        mlflow_states(store, NAME)
    project(store, ledger)
    assert mlflow_states(store, NAME) == EXPECTED


def test_mlflows_limits_and_names_are_kept(store: Store) -> None:
    projection = Projection(store, NAME)
    many = {f"p{i:03d}": str(i) for i in range(250)}
    projection.open_study(
        params={**many, "long": "x" * 10_000, "lr (log)?": "1", "../up": "2", "a//b": "3", "": "4"},
        tags={"long": "y" * 10_000, **{f"t{i:03d}": str(i) for i in range(250)}},
        artifacts={},
    )
    projection.annotate(metrics={f"m{i:04d}": float(i) for i in range(2500)})
    assert projection.flush()
    run = run_of(store, projection, None)
    assert run.data.params.items() >= many.items()
    assert len(run.data.params["long"]) == 6000
    assert len(run.data.tags["long"]) == 8000
    assert run.data.params["lr _log__"] == "1"
    assert {"2", "3", "4"} <= set(run.data.params.values())
    assert len(run.data.metrics) == 2500
    assert projection.close() is None


def test_a_changed_param_of_the_study_becomes_a_tag(store: Store) -> None:
    for trials in ("40", "60"):
        projection = Projection(store, NAME)
        projection.open_study(params={"budget.trials": trials}, tags={}, artifacts={})
        assert projection.close() is None
    run = run_of(store, projection, None)
    assert run.data.params == {"budget.trials": "40"}
    assert run.data.tags["resumed.budget.trials"] == "60"


def test_values_that_are_not_finite_are_named_and_left_out(store: Store, ledger: optuna.Study) -> None:
    projection = Projection(store, NAME)
    projection.start(ledger.trials[3])
    projection.record(3, 1, EPOCH_MS, {"train/loss": float("nan"), "lr": 0.1})
    assert projection.flush()
    projection.record(3, 2, EPOCH_MS + 1, {"val/loss": float("inf"), "lr": 0.2})
    assert projection.flush()
    assert run_of(store, projection, 3).data.tags["trial.nonfinite"] == "train/loss, val/loss"
    assert [point[1:3] for point in points(store) if point[3] in (EPOCH_MS, EPOCH_MS + 1)] == [
        ("lr", 1),
        ("lr", 2),
    ]
    assert projection.close() is None


def test_an_unchanged_annotation_is_one_point(store: Store) -> None:
    for value in (0.5, 0.5, 0.4):
        projection = Projection(store, NAME)
        projection.open_study(params={}, tags={}, artifacts={})
        projection.annotate(metrics={"best/score": value})
        assert projection.close() is None
    assert query(store, "SELECT value FROM metrics ORDER BY timestamp") == [(0.5,), (0.4,)]
    assert query(store, "SELECT value FROM latest_metrics") == [(0.4,)]


def test_each_phase_has_its_own_parent(store: Store, ledger: optuna.Study) -> None:
    project(store, ledger)
    confirm = Projection(store, NAME, phase="confirm")
    confirm.open_study(params={}, tags={}, artifacts={})
    confirm.start(ledger.trials[0])
    confirm.end(ledger.trials[0])
    assert confirm.close() is None
    assert mlflow_states(store, NAME) == EXPECTED
    assert mlflow_states(store, NAME, "confirm") == {0: ("FINISHED", "COMPLETE")}
    assert run_of(store, confirm, None).info.run_name == f"{NAME}-confirm"


def test_queueing_takes_under_a_millisecond(store: Store, ledger: optuna.Study) -> None:
    projection = Projection(store, NAME)
    projection.start(ledger.trials[3])
    assert projection.flush()
    waits = []
    for epoch in range(3, 203):
        begin = time.perf_counter()
        projection.record(3, epoch, EPOCH_MS + epoch, metrics_of(3, epoch))
        waits.append(time.perf_counter() - begin)
    assert sorted(waits)[len(waits) // 2] < 1e-3
    assert projection.flush()
    of_records = [point for point in points(store) if point[1] != "score"]
    assert len(of_records) == 3 * 202
    assert projection.close() is None


@pytest.mark.parametrize(
    "call",
    [
        lambda projection: projection.start(None),
        lambda projection: projection.record("x", None, "y", {"a": "b"}),
        lambda projection: projection.end(object()),
        lambda projection: projection.annotate(metrics={"a": object()}),
    ],
)
def test_nothing_it_is_given_makes_it_raise(store: Store, call: Callable[[Projection], None]) -> None:
    projection = Projection(store, NAME)
    call(projection)
    assert not projection.flush()
    complaint = projection.close()
    assert complaint is not None
    assert complaint.startswith("not all of digits-1 is in MLflow")
    projection.record(0, 1, 2, {})  # after the end, too
    assert projection.close() == complaint


def test_a_projection_that_was_never_used_leaves_nothing(store: Store) -> None:
    projection = Projection(store, NAME)
    assert projection.flush()
    assert projection.close() is None
    assert query(store, "SELECT count(*) FROM runs") == [(0,)]


def test_the_users_own_mlflow_is_still_heard(store: Store, ledger: optuna.Study) -> None:
    with hushed():
        pass
    logger = logging.getLogger("mlflow")
    handlers = [(handler, list(handler.filters)) for handler in logger.handlers]
    level = logger.level
    project(store, ledger)
    assert [(handler, list(handler.filters)) for handler in logger.handlers] == handlers
    assert logger.level == level
