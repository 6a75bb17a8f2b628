"""The lock of the one driver that a study may have. It goes with its owner, however that ends."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
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
            self._owner.unlink(missing_ok=True)
            if self._connection is not None:
                with suppress(Exception):  # a server that is away has let go of it
                    self._connection.close()
            self._file.release()

    def again(self) -> None:
        """Hold it again after the ledger's server was away, which then has forgotten who held what.

        Raises:
            StudyError: Another driver was quicker.
        """
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._take_database()

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

        key = {"key": int.from_bytes(hashlib.sha256(self._name.encode()).digest()[:8], "big", signed=True)}
        engine = create_engine(
            self._store.optuna_url, poolclass=NullPool, isolation_level="AUTOCOMMIT",
            connect_args={"application_name": f"finetune-search {os.getpid()} {socket.gethostname()}"[:63]},
        )  # fmt: skip
        self._connection = engine.connect()
        # Of the session, not of a transaction: it ends with the connection, and so with its owner.
        if _ask(self._connection, "SELECT pg_try_advisory_lock(%(key)s)", key):
            return
        holder = _ask(
            self._connection,
            "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory' "
            "AND granted AND (classid::bigint << 32 | objid::bigint) = %(key)s",
            key,
        )
        words = str(holder or "").split()
        raise self._refusal({"process": words[1], "machine": words[2]} if len(words) == 3 else {})

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
