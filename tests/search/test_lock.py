"""One driver a study: in a folder, and on a ledger that two folders share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from search import Store, StudyError
from search.store.lock import StudyLock
from search.store.patience import Patience, is_away
from tests.search.servers import postgres

HOLDER = """
import sys, time
from pathlib import Path
from search.store.layout import Store
from search.store.lock import StudyLock
with StudyLock(Store(Path(sys.argv[1]), optuna=sys.argv[2] or None), "one").held():
    print("held", flush=True)
    time.sleep(1000)
"""


def hold(root, url="") -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, root, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def kill(holder: subprocess.Popen) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.communicate()


def take(store: Store) -> str:
    """What is said to whoever takes it; nothing if it is theirs."""
    try:
        with StudyLock(store, "one").held():
            return ""
    except StudyError as error:
        return str(error)


def test_the_owner_is_named_and_a_dead_one_holds_nothing(tmp_path):
    store = Store(tmp_path / "mlruns")
    holder = hold(store.root)
    said = take(store)
    assert said.startswith(f"study 'one' is being run by process {holder.pid} on ")
    assert " since 20" in said
    kill(holder)
    assert take(store) == ""
    assert not list(store.locks.glob("*.owner"))


def test_a_ledger_on_a_server_has_one_driver_whatever_folder_it_has(tmp_path):
    with postgres() as database:
        here, there = (Store(tmp_path / name, optuna=database.url) for name in ("here", "there"))
        holder = hold(here.root, database.url)
        assert take(there).startswith(f"study 'one' is being run by process {holder.pid} on ")
        kill(holder)
        with StudyLock(there, "one").held() as lock:
            said: list[str] = []
            database.stop()
            patience = Patience(60, said.append, lock.check, sleep=lambda seconds: database.start())
            lock._checked = 0.0  # as if it were a while ago
            assert patience.of(lambda: "read") == "read"
            assert [text.partition(" (")[0] for text in said[:1]] == ["the ledger is away"]
            assert said[1].startswith("the ledger is back after")
            assert f"process {os.getpid()} on " in take(here)  # it holds the lock again
        assert take(here) == ""


def test_who_was_quicker_while_the_server_was_away_keeps_the_study(tmp_path):
    with postgres() as database:
        here, there = (Store(tmp_path / name, optuna=database.url) for name in ("here", "there"))
        with StudyLock(here, "one").held() as lock:
            database.stop()  # between two calls, so that nobody notices but who looks after the lock
            database.start()
            lock._checked = 0.0
            patience = Patience(60, check=lock.check)
            with StudyLock(there, "one").held(), pytest.raises(StudyError, match="is being run by process"):
                patience.of(lambda: "read")


def test_a_connection_that_was_cut_and_that_the_server_still_knows_is_no_other_driver(tmp_path):
    with postgres() as database:
        store = Store(tmp_path / "mlruns", optuna=database.url)
        with StudyLock(store, "one").held() as lock:
            old, lock._connection = (
                lock._connection,
                None,
            )  # the network is gone, the server has not heard of it
            lock._take_database()
            lock._checked = 0.0
            lock.check()
            assert "is being run by process" in take(Store(tmp_path / "there", optuna=database.url))
            with pytest.raises(Exception, match=r"terminating connection|closed"):
                old.exec_driver_sql("SELECT 1")
            old.invalidate()
            old.close()


def test_a_ledger_that_stays_away_ends_the_study_and_other_errors_are_not_waited_for():
    from sqlalchemy.exc import OperationalError

    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    class Gone(Exception):
        """What a driver of a server's says."""

    away = OperationalError("SELECT 1", {}, Gone("connection refused\n\tIs the server running?"))
    patience = Patience(30, sleep=sleep, clock=lambda: now[0])

    def fail(error: Exception):
        raise error

    with pytest.raises(StudyError, match=r"away for 3\d s \(connection refused\); once it is back, the same"):
        patience.of(lambda: fail(away))
    assert 30 <= now[0] < 45
    with pytest.raises(ValueError, match="no number"):
        patience.of(lambda: fail(ValueError("no number")))
    full = OperationalError("INSERT", {}, Gone("could not extend file: No space left on device"))
    with pytest.raises(StudyError, match="must have room"):
        patience.of(lambda: fail(full))
    assert not is_away(ValueError("x"))
