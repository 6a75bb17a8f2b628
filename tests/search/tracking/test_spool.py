import gc
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.store import Store
from search.store.quiet import hushed
from search.tracking import Projection, mlflow_states
from search.tracking.delivery import Delivery
from search.tracking.patch import Point, RunPatch, patch_of_trial
from search.tracking.spool import Spool
from tests.search.tracking.parts import (
    EPOCH_MS,
    EXPECTED,
    NAME,
    ledger_points,
    metrics_of,
    patches,
    points,
    run_of,
)


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

    def text(statement: str):
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


@pytest.mark.parametrize("away", ["unreachable", "locked"])
def test_a_long_outage_costs_no_memory_and_is_made_up_for(
    store: Store, ledger: optuna.Study, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    shorten_mlflows_own_wait(monkeypatch)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    where = Store(store.root, mlflow="http://127.0.0.1:1") if away == "unreachable" else store
    before = living_points()
    delivery = Delivery(where, NAME, "search", 0.0, "-")
    with locked(store.mlflow_db, seconds=6):
        delivery.deliver([patch_of_trial(ledger.trials[0])])
        for epoch in range(1, 11):
            delivery.deliver([RunPatch(1, points=(Point("loss", 1 / epoch, EPOCH_MS + epoch, epoch),))])
        assert delivery.kept == 2
        assert living_points() == before
    delivery = Delivery(store, NAME, "search", 0.0, "-") if away == "unreachable" else delivery
    delivery.deliver([RunPatch(1, points=(Point("loss", 0.0, EPOCH_MS + 11, 11),))])
    assert delivery.kept == 0
    assert not store.spool(NAME).exists()
    assert [point[2] for point in points(store) if point[:2] == (1, "loss")] == list(range(1, 12))
    assert [point for point in points(store) if point[0] == 0] == ledger_points(ledger.trials[:1])


def living_points() -> int:
    gc.collect()
    return sum(type(one) is Point for one in gc.get_objects())


@given(some=st.lists(patches, max_size=6))
def test_patches_survive_the_spool(some: list[RunPatch], tmp_path_factory: pytest.TempPathFactory) -> None:
    spool = Spool(tmp_path_factory.getbasetemp() / "spool.jsonl")
    spool.keep([])
    for patch in some:
        spool.append([patch])
    assert spool.load() == some
    assert all(json.loads(patch.to_json())["number"] == patch.number for patch in some)
