import json
import logging
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState

from search.store import Store, open_storage, prepare
from search.store.quiet import hushed
from search.tracking import Projection, mlflow_states, provenance
from search.tracking.patch import Point, RunPatch, merge, patch_of_trial
from search.tracking.spool import Spool

NAME = "digits-1"
EPOCH_MS = 1_790_000_000_000
EXPECTED = {
    0: ("FINISHED", "COMPLETE"),
    1: ("KILLED", "PRUNED"),
    2: ("FAILED", "FAIL"),
    3: ("RUNNING", "RUNNING"),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    prepare(Store(root))
    return root


@pytest.fixture
def store(prepared: Path, tmp_path: Path) -> Store:
    """A prepared store; making MLflow's schema anew for each test would take seconds."""
    store = Store(tmp_path / "store")
    store.root.mkdir()
    for name in ("optuna.db", "mlflow.db"):
        shutil.copy(prepared / name, store.root / name)
    return store


@pytest.fixture
def ledger(store: Store) -> optuna.Study:
    """A study with a COMPLETE, a PRUNED, a FAIL and a RUNNING trial, and one that waits."""
    study = optuna.create_study(study_name=NAME, storage=open_storage(store), direction="maximize")
    for number, epochs in enumerate((3, 2, 1, 2)):
        trial = study.ask()
        trial.suggest_float("optimizer.lr", 1e-5, 1e-1, log=True)
        trial.suggest_categorical("strategy", ["full", "feature_extraction"])
        trial.set_user_attr("seed", 10 + number)
        for epoch in range(1, epochs + 1):
            add_record(trial, epoch)
    study.tell(0, 0.52)
    trials = study.trials
    study._storage.set_trial_user_attr(trials[1]._trial_id, "reason", "stopped by ASHA at epoch 2")
    study._storage.set_trial_user_attr(trials[2]._trial_id, "reason", "diverged: loss is nan at epoch 2")
    study.tell(1, state=TrialState.PRUNED)
    study.tell(2, state=TrialState.FAIL)
    study.enqueue_trial({"optimizer.lr": 1e-3})
    return study


def metrics_of(number: int, epoch: int) -> dict[str, float]:
    # Trial 0 is best at epoch 2.
    accuracy = 0.5 + 0.01 * number + (0.02 if epoch == 2 else 0.0)
    return {"train/loss": 2.0 / epoch, "val/accuracy": accuracy, "lr": 1e-3}


def add_record(trial: optuna.Trial, epoch: int) -> None:
    record = {"time": EPOCH_MS + 1000 * epoch, "metrics": metrics_of(trial.number, epoch)}
    trial.set_user_attr(f"record:{epoch}", record)
    trial.report(record["metrics"]["val/accuracy"], epoch)


def query(store: Store, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.mlflow_db, timeout=60)) as connection:
        return connection.execute(sql).fetchall()


def points(store: Store) -> list[tuple[object, ...]]:
    """All points of all trials, by trial rather than by run id, so that two databases can be compared."""
    return query(
        store,
        "SELECT CAST(t.value AS INTEGER), m.key, m.step, m.timestamp, m.value FROM metrics m "
        "JOIN tags t ON t.run_uuid = m.run_uuid AND t.key = 'trial.number' ORDER BY 1, 2, 3, 4",
    )


def ledger_points(trials: list[FrozenTrial]) -> list[tuple[object, ...]]:
    """What `points` must give, worked out from the ledger's format alone."""
    found = []
    for trial in trials:
        for key, record in trial.user_attrs.items():
            if key.startswith("record:"):
                epoch = int(key.split(":")[1])
                found += [(trial.number, k, epoch, record["time"], v) for k, v in record["metrics"].items()]
                best = max(value for step, value in trial.intermediate_values.items() if step <= epoch)
                found.append((trial.number, "score", epoch, record["time"], best))
    return sorted(found)


def project(store: Store, study: optuna.Study) -> None:
    projection = Projection(store, NAME)
    projection.open_study(params={}, tags={}, artifacts={})
    projection.sync(study.trials)
    assert projection.close() is None


def run_of(store: Store, projection: Projection, number: int | None):  # type: ignore[no-untyped-def]
    with hushed():
        from mlflow import MlflowClient

        run_id = projection.parent_id if number is None else projection.run_id(number)
        return MlflowClient(store.mlflow_uri).get_run(run_id)


@contextmanager
def locked(file: Path, seconds: float) -> Iterator[None]:
    """Another connection writes, and holds its lock for a while, whatever the block does meanwhile."""
    connection = sqlite3.connect(file, timeout=60, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")

    def release() -> None:
        connection.execute("ROLLBACK")
        connection.close()

    timer = threading.Timer(seconds, release)
    timer.start()
    try:
        yield
    finally:
        timer.join()


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
    projection.sync(ledger.trials)
    projection.sync(ledger.trials)
    assert projection.flush()
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
    projection = Projection(store, NAME)
    projection.sync(ledger.trials)
    assert projection.flush()
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


def test_a_locked_database_loses_nothing(
    store: Store, ledger: optuna.Study, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shorten_mlflows_own_wait(monkeypatch)
    projection = Projection(store, NAME)
    projection.open_study(params={}, tags={}, artifacts={})
    assert projection.flush()
    with locked(store.mlflow_db, seconds=3):
        projection.sync(ledger.trials)
        assert not projection.flush(timeout=0.5)
    assert projection.close() is None
    assert points(store) == ledger_points(ledger.trials)
    assert mlflow_states(store, NAME) == EXPECTED
    assert capfd.readouterr() == ("", "")


def shorten_mlflows_own_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits 20 s for a lock on MLflow's behalf; with 0.2 s it is our own retrying that is tested."""
    with hushed():
        from mlflow.store.db import utils
    real = utils.sql.text

    def text(statement: str):  # type: ignore[no-untyped-def]
        return real(statement.replace("busy_timeout = 20000", "busy_timeout = 200"))

    monkeypatch.setattr(utils.sql, "text", text)


def test_what_cannot_be_written_is_spooled_and_written_by_the_next(
    store: Store, ledger: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_mlflows_own_wait(monkeypatch)
    projection = Projection(store, NAME, patience=0.5)
    projection.open_study(params={}, tags={}, artifacts={})
    assert projection.flush()
    with locked(store.mlflow_db, seconds=3):
        projection.annotate(metrics={"best/score": 0.52}, tags={"note": "kept"})
        projection.start(ledger.trials[0])
        projection.record(0, 1, EPOCH_MS + 1000, metrics_of(0, 1))
        assert not projection.flush()
        complaint = projection.close()
    assert complaint is not None
    assert "2 runs of digits-1 could not be written" in complaint
    assert "locked" in complaint, complaint
    assert str(store.spool(NAME)) in complaint
    assert "\n" not in complaint
    with store.spool(NAME).open("a") as spool:
        spool.write('{"number": 0, "tor')  # as a kill leaves it
    following = Projection(store, NAME)
    following.sync(ledger.trials)
    assert following.flush()
    assert not store.spool(NAME).exists()
    assert points(store) == ledger_points(ledger.trials)
    parent = run_of(store, following, None)
    assert parent.data.tags["note"] == "kept"
    assert parent.data.metrics == {"best/score": 0.52}
    assert following.close() is None


def test_an_mlflow_that_comes_back_gets_what_was_spooled(
    store: Store, ledger: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_mlflows_own_wait(monkeypatch)
    projection = Projection(store, NAME, patience=0.3)
    projection.open_study(params={}, tags={}, artifacts={})
    assert projection.flush()
    with locked(store.mlflow_db, seconds=2.5):
        projection.start(ledger.trials[3])
        projection.record(3, 3, EPOCH_MS + 3000, metrics_of(3, 3))
        assert not projection.flush()
        assert store.spool(NAME).exists()
    projection.record(3, 4, EPOCH_MS + 4000, metrics_of(3, 4))
    assert projection.flush()
    assert not store.spool(NAME).exists()
    assert [point[2] for point in points(store) if point[1] == "lr"] == [1, 2, 3, 4]
    assert projection.close() is None


def test_an_unreachable_server_raises_nothing(
    store: Store, ledger: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    # Nothing listens on port 1.
    away = Store(store.root, mlflow="http://127.0.0.1:1")
    projection = Projection(away, NAME, patience=0.1)
    projection.open_study(params={}, tags={}, artifacts={})
    projection.sync(ledger.trials)
    complaint = projection.close()
    assert complaint is not None
    assert "5 runs of digits-1 could not be written to MLflow at http://127.0.0.1:1" in complaint
    # The same study later has the local MLflow: what was kept goes there.
    projection = Projection(store, NAME)
    projection.sync(ledger.trials)
    assert projection.close() is None
    assert mlflow_states(store, NAME) == EXPECTED
    assert points(store) == ledger_points(ledger.trials)


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


patches = st.builds(
    RunPatch,
    number=st.none() | st.integers(0, 3),
    tags=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
    params=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
    points=st.lists(
        st.builds(Point, st.text(max_size=3), st.floats(allow_nan=False), st.integers(), st.integers()),
        max_size=3,
    ).map(tuple),
    artifacts=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    status=st.none() | st.sampled_from(["RUNNING", "FINISHED"]),
    start_time=st.none() | st.integers(0),
    end_time=st.none() | st.integers(0),
    whole=st.booleans(),
)


@given(some=st.lists(patches, max_size=6))
def test_patches_survive_the_spool(some: list[RunPatch], tmp_path_factory: pytest.TempPathFactory) -> None:
    spool = Spool(tmp_path_factory.getbasetemp() / "spool.jsonl")
    spool.keep([])
    for patch in some:
        spool.append([patch])
    assert spool.load() == some
    assert all(json.loads(patch.to_json())["number"] == patch.number for patch in some)


@given(first=st.lists(patches, max_size=4), second=st.lists(patches, max_size=4))
def test_merging_in_two_steps_is_merging_in_one(first: list[RunPatch], second: list[RunPatch]) -> None:
    assert merge([*merge(first), *second]) == merge([*first, *second])
    assert len({patch.number for patch in merge(first + second)}) == len(merge(first + second))


def test_the_same_ledger_gives_the_same_patch(ledger: optuna.Study) -> None:
    for trial in ledger.trials[:4]:
        assert patch_of_trial(trial) == patch_of_trial(trial)
    assert [point for point in patch_of_trial(ledger.trials[0]).points if point.key == "score"] == [
        Point("score", best, EPOCH_MS + 1000 * epoch, epoch)
        for epoch, best in ((1, 0.5), (2, 0.52), (3, 0.52))
    ]


def test_provenance_says_what_it_ran_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    facts = provenance()
    assert "git.commit" not in facts
    assert facts["version.optuna"] == optuna.__version__
    assert int(facts["machine.cpus"]) >= 1
    assert float(facts["machine.memory_gb"]) > 0.1
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    assert len(provenance()["git.commit"]) == 40
    assert provenance()["git.dirty"] == "false"
    (tmp_path / "new").touch()
    assert provenance()["git.dirty"] == "true"


def test_provenance_imports_nothing_it_asks_about() -> None:
    code = (
        "import sys; from search.tracking.provenance import provenance; provenance();"
        " print([n for n in ('torch', 'timm', 'ray', 'optuna', 'mlflow', 'pandas') if n in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")
