"""The lock of the one driver that a study may have. It goes with its owner, however that ends."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from search.errors import StudyError
from search.store.layout import Store
from spaces import InputError

if TYPE_CHECKING:
    from sqlalchemy import Connection


CHECK_SECONDS = 5.0
"""How often a lock on a server is looked after."""

ATTEMPTS = 10
HOLDER = """
SELECT pid, application_name FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = %(key)s
"""


class StudyLock:
    """Held in the store's folder and, where the ledger is on PostgreSQL, also there.

    Drivers on two machines have two folders, but one ledger.

    Args:
        store: Where the study is.
        name: The study's name.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._path = store.study_lock(name)
        self._file = FileLock(self._path, timeout=0)
        self._connection: Connection | None = None
        self._checked = 0.0
        # Two containers may have one name and one process number.
        self._me = f"finetune-search {os.getpid()} {uuid.uuid4().hex[:8]} {socket.gethostname()}"[:63]

    @contextmanager
    def held(self) -> Iterator[StudyLock]:
        """Hold it.

        Raises:
            StudyError: Another process runs the study; the sentence says which and where.
            InputError: The store cannot be written, or its ledger cannot be reached.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file.acquire()
        except Timeout:
            raise self._refusal(_read(self._owner)) from None
        except OSError as error:
            raise InputError(
                f"the store must be writable, but {self._store.root}: {error.strerror}"
            ) from None
        try:
            self._enter()
            with suppress(OSError):
                self._owner.write_text(json.dumps(_me()))
            yield self
        finally:
            with suppress(OSError):
                self._owner.unlink()
            if self._connection is not None:
                with suppress(Exception):  # a server that is away has let go of it
                    self._connection.close()
            self._file.release()

    def check(self) -> None:
        """See to it that the lock is still there: a server that restarts, or that cuts a connection, forgets it.

        Raises:
            StudyError: Another driver has it.
            SQLAlchemyError: The server is away.
        """
        if self._connection is None or time.monotonic() - self._checked < CHECK_SECONDS:
            return
        try:
            _ask(self._connection, "SELECT 1", {})
        except Exception:  # it is gone, whatever for
            with suppress(Exception):
                self._connection.close()
            self._take_database()
        self._checked = time.monotonic()

    @property
    def _owner(self) -> Path:
        return self._path.with_suffix(".owner")

    def _enter(self) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._take_database()
        except (SQLAlchemyError, ImportError) as error:
            raise InputError(f"the ledger must be there, but {str(error).strip().splitlines()[0]}") from None

    def _take_database(self) -> None:
        if not self._store.optuna_url.startswith("postgres"):
            return
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        engine = create_engine(
            self._store.optuna_url, poolclass=NullPool, isolation_level="AUTOCOMMIT",
            connect_args={"application_name": self._me, "connect_timeout": 10},
        )  # fmt: skip
        self._connection = engine.connect()
        # Of the session, not of a transaction: it ends with the connection, and so with its owner.
        key = {"key": int.from_bytes(hashlib.sha256(self._name.encode()).digest()[:8], "big", signed=True)}
        for _ in range(ATTEMPTS):
            if _ask(self._connection, "SELECT pg_try_advisory_lock(%(key)s)", key):
                return
            pid, holder = self._connection.exec_driver_sql(HOLDER, key).one_or_none() or (0, "")
            if holder == self._me:  # a connection of ours, cut, of which the server has not heard yet
                _ask(self._connection, "SELECT pg_terminate_backend(%(pid)s)", {"pid": pid})
            elif holder:
                break
            time.sleep(0.2)
        words = str(holder).split()
        raise self._refusal({"process": words[1], "machine": words[3]} if len(words) == 4 else {})

    def _refusal(self, owner: dict[str, Any]) -> StudyError:
        where = f"process {owner['process']} on {owner['machine']}" if owner else "another process"
        since = f" since {owner['since']}" if "since" in owner else ""
        return StudyError(
            f"study {self._name!r} is being run by {where}{since} (lock {self._path}); "
            "wait for it, or choose another --name"
        )


def _me() -> dict[str, Any]:
    return {
        "process": os.getpid(),
        "machine": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _read(path: Path) -> dict[str, Any]:
    """Whose lock it is; empty where that is not written yet."""
    try:
        owner: dict[str, Any] = json.loads(path.read_text())
        return owner if {"process", "machine"} <= owner.keys() else {}
    except (OSError, ValueError, AttributeError):
        return {}


def _ask(connection: Connection, question: str, values: dict[str, Any]) -> Any:
    return connection.exec_driver_sql(question, values).scalar()
