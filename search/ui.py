"""MLflow's pages over a store: a server on this machine only, which leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO

from search.errors import StudyError
from search.store.databases import prepare
from search.store.layout import Store
from search.tracking.views import MODEL_TRAINING, OPEN_VIEW, VIEW_TAG
from spaces import InputError

HOST = "127.0.0.1"
START_PAGE = f"#/experiments?{MODEL_TRAINING}"
NEWEST = 5
"""Studies that are named with their pages: from its list of studies MLflow opens those for language models."""
START_SECONDS = 120.0
STOP_SECONDS = 5.0
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(store: Store, port: int, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        store: Whose runs.
        port: On this machine.
        say: Told the address once the pages are there.

    Raises:
        InputError: There is no store, or the port is taken.
        StudyError: MLflow did not start, or ended by itself.
    """
    if not store.mlflow_db.exists():
        raise InputError(
            f"no study was run in {store.root} yet, so there is nothing to show; run one: finetune-search run"
        )
    _check_free(port)
    prepare(store)
    try:
        with (
            _raised() as ending,
            tempfile.TemporaryFile() as log,
            _server(store, port, log, ending) as server,
        ):
            _wait_until_there(server, port)
            say(f"MLflow's pages over {store.root} (Ctrl-C ends them): http://{HOST}:{port}/{START_PAGE}")
            for name, page in _pages(port):
                say(f"{name}: {page}")
            server.wait()
            raise StudyError(f"MLflow ended with code {server.returncode}: {_last_words(log)}")
    except _Ended:
        return


class _Ended(Exception):
    """The user, or the system, wants us to end."""


class _Ending:
    """What signals that end a program come to; once one has come the others are nothing."""

    def __init__(self) -> None:
        self._held = self._came = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        for one in ENDINGS:
            signal.signal(one, signal.SIG_IGN)
        self._came = True
        if not self._held:
            raise _Ended

    def hold(self) -> None:
        """Let nothing be raised for now."""
        self._held = True

    def release(self) -> None:
        """Raise it now, if one has come."""
        self._held = False
        if self._came:
            raise _Ended


@contextmanager
def _raised() -> Iterator[_Ending]:
    """Signals that end a program become an exception, so that the server is ended first."""
    ending = _Ending()
    before = {number: signal.signal(number, ending) for number in ENDINGS}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _server(store: Store, port: int, log: IO[bytes], ending: _Ending) -> Iterator[subprocess.Popen[bytes]]:
    """MLflow in a session of its own, and at the end nothing of that session."""
    command = [
        sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store.mlflow_uri,
        "--default-artifact-root", store.artifacts.as_uri(), "--host", HOST, "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # ten processes in place of three
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",
    }
    ending.hold()  # else a server might have started that nobody knows
    server = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    try:
        ending.release()
        yield server
    finally:
        # MLflow's own parent ends without its children: the whole group is asked, and then made to.
        for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
            if not _signal_group(server.pid, number):
                break
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                server.poll()  # a child that nobody has waited for still counts as one of its group
                if not _signal_group(server.pid, 0):
                    break
                time.sleep(0.05)


def _signal_group(group: int, number: int) -> bool:
    """Whether there was still a process in the group."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _wait_until_there(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((HOST, port)) == 0:
                return
        if time.monotonic() > deadline:
            raise StudyError(f"MLflow did not answer on port {port} within {START_SECONDS:.0f} s")
        time.sleep(0.1)


def _pages(port: int) -> list[tuple[str, str]]:
    """The newest studies that have a view of their trials, and where it is."""
    where = f"http://{HOST}:{port}"
    asked = urllib.request.Request(
        f"{where}/api/2.0/mlflow/experiments/search",
        json.dumps({"max_results": 100, "order_by": ["last_update_time DESC"]}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(asked, timeout=START_SECONDS) as answer:
            found = json.load(answer).get("experiments", [])
    except (OSError, ValueError):
        return []  # the list of studies has them too
    return [
        (one["name"], f"{where}/#/experiments/{one['experiment_id']}/runs{OPEN_VIEW}")
        for one in found
        if any(tag["key"] == VIEW_TAG for tag in one.get("tags", ()))
    ][:NEWEST]


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was just closed is free
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise InputError(
                f"port {port} needs the rights of root; choose one from 1024 on with --port"
            ) from None
        except OSError:
            raise InputError(
                f"port {port} of {HOST} must be free, but something is there already (perhaps these very pages); "
                f"look at http://{HOST}:{port}, or choose another --port"
            ) from None


def _last_words(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
