"""What the tests of this folder share."""

import sqlite3
from contextlib import closing

import optuna
from hypothesis import strategies as st
from optuna.trial import FrozenTrial

from search.store import Store
from search.store.quiet import hushed
from search.tracking import Projection
from search.tracking.patch import Point, RunPatch

NAME = "digits-1"


EPOCH_MS = 1_790_000_000_000


EXPECTED = {
    0: ("FINISHED", "COMPLETE"),
    1: ("KILLED", "PRUNED"),
    2: ("FAILED", "FAIL"),
    3: ("RUNNING", "RUNNING"),
}


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


def run_of(store: Store, projection: Projection, number: int | None):
    with hushed():
        from mlflow import MlflowClient

        run_id = projection.parent_id if number is None else projection.run_id(number)
        return MlflowClient(store.mlflow_uri).get_run(run_id)


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
