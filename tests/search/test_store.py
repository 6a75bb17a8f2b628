import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.store import Store, check_study_name, open_storage, prepare
from search.store.quiet import hushed
from spaces.errors import InputError
from tests.search.servers import postgres

PREPARE = "import sys; from search.store import Store, prepare; prepare(Store(sys.argv[1]))"


def query(file: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        return connection.execute(sql).fetchall()


def assert_whole(store: Store) -> None:
    """Both databases are sound, in WAL mode and complete, and nothing of their making is left."""
    with hushed():
        from mlflow.store.db import utils  # its import is what makes `Base` know every table
    Base = utils.Base

    for file in (store.optuna_db, store.mlflow_db):
        assert query(file, "PRAGMA integrity_check") == [("ok",)]
        assert query(file, "PRAGMA journal_mode") == [("wal",)]
    tables = {
        str(row[0]) for row in query(store.mlflow_db, "SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert set(Base.metadata.tables) <= tables
    assert not any(table.startswith("_alembic_tmp") for table in tables)
    assert query(store.mlflow_db, "SELECT experiment_id, artifact_location FROM experiments") == [
        (0, f"{store.artifacts.as_uri()}/0")
    ]
    assert open_storage(store).get_all_studies() == []
    assert list(store.root.glob(".*")) == []


@pytest.mark.parametrize("name", ["digits", "a", "A.b_c-1", "7", "x" * 100, "_x", "a..b"])
def test_a_safe_study_name_is_returned(name: str) -> None:
    assert check_study_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a/b", "a b", "a\n", "é", "x" * 101, "a@b", "a\0"])
def test_an_unsafe_study_name_is_refused_with_law_and_value(name: str) -> None:
    with pytest.raises(InputError, match=r"must be 1 to 100 letters, .* but got") as caught:
        check_study_name(name)
    assert repr(name) in str(caught.value)


@given(name=st.text(max_size=12))
def test_a_study_that_has_a_folder_has_it_in_the_store(name: str) -> None:
    store = Store(Path("/tmp/s"))
    try:
        folder = store.study_checkpoints(name).address
    except InputError:
        return
    assert Path(os.path.abspath(folder)).parent == store.root / "checkpoints"


def test_every_path_and_address_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FINETUNE_SEARCH_STORE", raising=False)
    store = Store.default()
    assert store.root == tmp_path / "mlruns"
    assert store.optuna_url == f"sqlite:///{tmp_path}/mlruns/optuna.db"
    assert store.mlflow_uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert store.study_checkpoints("digits").at("7").address == f"{tmp_path}/mlruns/checkpoints/digits/7"
    monkeypatch.setenv("FINETUNE_SEARCH_STORE", "elsewhere")
    assert Store.default().root == tmp_path / "elsewhere"
    assert Store(Path("a"), optuna="sqlite:///b.db").optuna_url == f"sqlite:///{tmp_path}/b.db"


def test_other_stores_are_one_setting_away() -> None:
    store = Store(
        Path("/tmp/s"),
        optuna="postgresql://host/optuna",
        mlflow="http://host:5000",
        elsewhere="memory://studies",
    )
    assert store.study_checkpoints("digits").at("7").address == "memory://studies/digits/7"
    assert (store.optuna_url, store.mlflow_uri) == ("postgresql://host/optuna", "http://host:5000")
    assert store.artifact_uri is None


@pytest.mark.parametrize("path", ["/tmp/what?", "/tmp/100%", "/tmp/a#b"])
def test_a_path_that_means_something_else_in_a_url_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="must not hold"):
        Store(Path(path))


def test_prepare_makes_both_and_then_does_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "a folder")
    prepare(store)
    assert_whole(store)
    before = [file.stat().st_mtime_ns for file in (store.optuna_db, store.mlflow_db)]
    prepare(store)
    assert [file.stat().st_mtime_ns for file in (store.optuna_db, store.mlflow_db)] == before


def test_a_ready_store_needs_no_library(tmp_path: Path) -> None:
    store = Store(tmp_path)
    prepare(store)
    code = PREPARE + "; print([name for name in ('mlflow', 'optuna', 'sqlalchemy') if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert (answer.stdout, answer.stderr) == ("[]\n", "")


def test_four_processes_at_once_leave_both_databases_whole(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", PREPARE, tmp_path], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [(process.returncode, text) for process, text in zip(processes, said, strict=True)] == [
        (0, "")
    ] * 4
    assert_whole(Store(tmp_path))


def test_prepare_killed_in_the_middle_is_mended_by_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rng = random.Random(0)
    for size in (1, 300_000):  # of MLflow's file when it is killed: just begun, nearly done
        with subprocess.Popen([sys.executable, "-c", PREPARE, tmp_path]) as process:
            # Its own file: the one that the process before left is swept away at any moment.
            building = tmp_path / f".mlflow.db.{process.pid}.building"
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and process.poll() is None:
                if building.exists() and building.stat().st_size >= size:
                    break
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.02))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        assert building.exists()
        assert not store.mlflow_db.exists()
    prepare(store)
    assert_whole(store)


def test_a_log_left_by_a_deleted_database_does_not_reach_the_new_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    prepare(store)
    with closing(sqlite3.connect(store.optuna_db)) as connection:
        connection.execute("CREATE TABLE stale (x)")
        connection.commit()
        log = (tmp_path / "optuna.db-wal").read_bytes()
    assert log
    store.optuna_db.unlink()
    (tmp_path / "optuna.db-wal").write_bytes(log)
    prepare(store)
    assert query(store.optuna_db, "SELECT name FROM sqlite_master WHERE name = 'stale'") == []


def test_databases_made_by_the_libraries_themselves_are_taken_in(tmp_path: Path) -> None:
    store = Store(tmp_path)
    optuna.create_study(study_name="mine", storage=store.optuna_url)
    prepare(store)
    assert [study.study_name for study in open_storage(store).get_all_studies()] == ["mine"]
    assert query(store.optuna_db, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("library", ["optuna", "mlflow"])
def test_a_database_of_an_older_schema_is_refused(tmp_path: Path, library: str) -> None:
    store = Store(tmp_path)
    prepare(store)
    file = {"optuna": store.optuna_db, "mlflow": store.mlflow_db}[library]
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
        connection.execute("PRAGMA user_version = 1")  # as an older version of the library would have left it
        connection.commit()
    with pytest.raises(InputError, match=f"{library}.db must have .*schema.*upgrade"):
        prepare(store)


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 200])
@pytest.mark.parametrize("name", ["optuna.db", "mlflow.db"])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name} must be a"):
        prepare(Store(tmp_path))
    assert (tmp_path / name).read_bytes() == content


def test_a_store_inside_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="must be a folder that can be written to"):
        prepare(Store(tmp_path / "file"))


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="must be a folder that can be written to"):
        prepare(Store(tmp_path))


def test_a_folder_where_nothing_can_be_made_is_refused() -> None:
    # Linux lets nobody, not even root, make a folder there.
    root = Path("/proc/finetune-search")
    if not root.parent.is_dir():
        pytest.skip("no /proc")
    with pytest.raises(InputError, match="must be a folder that can be written to"):
        prepare(Store(root))


def test_a_ledger_that_is_not_there_is_not_made_by_opening_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study has run in this store"):
        open_storage(Store(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_eight_at_once_open_a_ledger_on_a_server_where_nothing_was_before(tmp_path: Path) -> None:
    with postgres() as database:
        store = Store(tmp_path, optuna=database.url)
        together = Barrier(8)

        def opened() -> list[str]:
            together.wait()
            return optuna.get_all_study_names(open_storage(store))

        with ThreadPoolExecutor(8) as pool:
            found = [one.result() for one in [pool.submit(opened) for _ in range(8)]]
        assert found == [[]] * 8
