"""Makes the two databases of a store, whole or not at all, and opens Optuna's.

Both libraries can make their own tables on first use, but not when several processes do so at once, nor when
one is killed meanwhile: MLflow's file is then broken for good. So each is built at a temporary name under one
lock and renamed when it is whole.
"""

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from search.store.layout import Store, sqlite_file, sqlite_url
from spaces.errors import InputError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

BUSY_SECONDS = 60.0
LOCK_SECONDS = 180.0
_MAGIC = b"SQLite format 3\0"
_SIDECARS = ("-wal", "-shm", "-journal")
_LOCKED = {
    "postgresql": "SELECT pg_advisory_xact_lock(7405960)",
    "mysql": f"SELECT GET_LOCK('finetune-search', {LOCK_SECONDS:.0f})",
}
"""By SQLAlchemy's dialect, how to wait for a lock that its connection's end gives back."""


def prepare(store: Store) -> None:
    """Makes the databases that are not there yet; a few milliseconds when they are.

    Safe to call from any number of processes at once, and after one of them was killed. Databases that are
    not SQLite files (PostgreSQL, an MLflow server) are left to their own tools.

    Args:
        store: Where.

    Raises:
        InputError: If the folder cannot be written to, or a file there is no database or has another schema
            than the installed version wants.
    """
    wanted: list[tuple[str, Path, Callable[[Path], None]]] = []
    if (file := sqlite_file(store.optuna_url)) is not None:
        wanted.append(("optuna", file, _optuna_schema))
    if (file := sqlite_file(store.mlflow_uri)) is not None:
        wanted.append(("mlflow", file, lambda path: _mlflow_schema(path, store)))
    try:
        if all(_is_ready(library, file) for library, file, _ in wanted):
            return
        store.locks.mkdir(parents=True, exist_ok=True)
        with FileLock(store.locks / "databases.lock", timeout=LOCK_SECONDS):
            for library, file, schema in wanted:
                file.parent.mkdir(parents=True, exist_ok=True)
                _sweep(file)
                if not file.exists():
                    _build(library, file, schema)
                elif not _is_ready(library, file):
                    _adopt(library, file, schema)
    except Timeout as error:
        raise InputError(
            f"the lock {error.lock_file} must come free within {LOCK_SECONDS:.0f} s, "
            "but another process still holds it"
        ) from error
    except OSError as error:
        raise InputError(
            f"the store {store.root} must be a folder that can be written to, but {error}"
        ) from error


def open_storage(store: Store) -> "BaseStorage":
    """Opens Optuna's storage, the ledger of all studies.

    Args:
        store: A store that `prepare` has been called on.

    Raises:
        InputError: If there is no ledger yet, it cannot be reached, or its schema is of another version.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    file = sqlite_file(store.optuna_url)
    if file is not None and not file.exists():
        raise InputError(
            f"a ledger must be there to be opened, but {file} is not: no study has run in this store"
        )
    # SQLite's own 5 s are too short for eight processes at once: one then fails, and its trial stays RUNNING.
    # A server that has been away leaves dead connections in the pool: each is tried before it is used.
    settings: dict[str, Any] = {"pool_pre_ping": True}
    if file is not None:
        settings = {"connect_args": {"timeout": BUSY_SECONDS}}
    try:
        with nullcontext() if file is not None else _alone(store.optuna_url):
            return RDBStorage(store.optuna_url, engine_kwargs=settings)
    except (SQLAlchemyError, RuntimeError, AssertionError, ImportError, ValueError) as error:
        raise InputError(
            f"Optuna must be able to open {file or 'its storage'}, but {_first_line(error)}"
        ) from error


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """While nobody else opens a ledger on this server: of two who make its tables at once, one would fail."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    engine = create_engine(url, poolclass=NullPool)
    question = _LOCKED.get(engine.dialect.name)
    if question is None:
        yield
        return
    with engine.begin() as connection:
        connection.execute(text(question))
        yield


def _marker(library: str) -> int:
    """What a database's `user_version` says once this version of the library has been found to fit it."""
    return zlib.crc32(f"{library} {version(library)}".encode()) & 0x7FFFFFFF


def _is_ready(library: str, file: Path) -> bool:
    """Reads the answer from the file's header (sqlite.org/fileformat.html), without either library."""
    try:
        with file.open("rb") as stream:
            header = stream.read(100)
    except FileNotFoundError:
        return False
    if not header.startswith(_MAGIC):
        # An empty file is a valid, empty database, but never one of ours: those appear whole.
        raise InputError(
            f"{file} must be an SQLite database, but it is not; move it away or name another store"
        )
    for path in (file, file.parent):
        if not os.access(path, os.W_OK):
            raise PermissionError(f"{path} is read-only")
    return int.from_bytes(header[60:64], "big") == _marker(library)


def _build(library: str, file: Path, schema: Callable[[Path], None]) -> None:
    """Builds a database beside its place and moves it there when it is whole and on the disk."""
    for sidecar in _SIDECARS:
        # Left by a database that somebody deleted; SQLite would replay such a log into the new one.
        file.with_name(file.name + sidecar).unlink(missing_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.building")
    schema(temporary)
    _mark(library, temporary)
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    temporary.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _adopt(library: str, file: Path, schema: Callable[[Path], None]) -> None:
    """Takes in a database that the library itself, or another version of it, has made, if it fits."""
    tables = _tables(file)
    if tables and "alembic_version" not in tables:
        raise InputError(
            f"{file} must be a database of {library}'s, but its tables are {', '.join(tables[:5])}"
        )
    schema(file)
    _mark(library, file)


def _tables(file: Path) -> list[str]:
    try:
        with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except sqlite3.DatabaseError as error:
        raise InputError(f"{file} must be a whole SQLite database, but reading it says: {error}") from error
    return [str(row[0]) for row in rows]


def _mark(library: str, file: Path) -> None:
    """Switches the write-ahead log on, for good, and notes which version the schema has been checked with."""
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA user_version={_marker(library)}")
        # Into the file itself, where `_is_ready` reads it, not only into the log.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _sweep(file: Path) -> None:
    """Removes what killed builders left. The lock is held, so no builder is at work."""
    for leftover in file.parent.glob(f".{file.name}.*.building*"):
        leftover.unlink(missing_ok=True)


def _optuna_schema(file: Path) -> None:
    """Makes Optuna's tables in a new file; in an old one, checks that they are this version's."""
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    try:
        storage = RDBStorage(sqlite_url(file), engine_kwargs={"connect_args": {"timeout": BUSY_SECONDS}})
    except (SQLAlchemyError, RuntimeError, AssertionError) as error:
        raise InputError(f"{file} must have this Optuna's schema, but {_first_line(error)}") from error
    storage.remove_session()
    storage.engine.dispose()


def _mlflow_schema(file: Path, store: Store) -> None:
    """Makes all of MLflow's tables and its default experiment; in an old file, checks that they fit."""
    from search.store.quiet import hushed

    with hushed():
        from mlflow.exceptions import MlflowException
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
        from sqlalchemy.exc import SQLAlchemyError

        try:
            # A database without a single table is made, any other is only verified: MLflow would migrate one
            # that is older, without a backup and without asking.
            if file.exists() and _tables(file):
                _verify_mlflow(file)
            make: Any = SqlAlchemyStore  # MLflow leaves it without types
            tracking = make(sqlite_url(file), store.artifacts.as_uri())
        except (SQLAlchemyError, MlflowException) as error:
            raise InputError(f"{file} must have this MLflow's schema, but {_first_line(error)}") from error
        tracking.engine.dispose()


def _verify_mlflow(file: Path) -> None:
    from mlflow.store.db import utils

    latest: Callable[[], str] = utils._get_latest_schema_revision
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
        found = [str(row[0]) for row in connection.execute("SELECT version_num FROM alembic_version")]
    expected = latest()
    if found != [expected]:
        raise InputError(
            f"{file} must have MLflow {version('mlflow')}'s schema {expected}, but has {', '.join(found)}: "
            f"keep a copy, then run `mlflow db upgrade {sqlite_url(file)}`"
        )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(". ")
