"""MLflow's pages: on this machine only, and gone without a trace when they are closed."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request

import optuna
import psutil
import pytest

from search.errors import StudyError
from search.store.databases import prepare
from search.store.layout import Store
from search.tracking.projection import Projection
from search.ui import serve
from spaces import InputError
from tests.search.servers import free_port
from tests.search.serving import ui, wait_until


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """A store with one projected study of one trial."""
    store = Store(tmp_path_factory.mktemp("ui") / "mlruns")
    prepare(store)
    study = optuna.create_study(direction="maximize")
    trial = study.ask()
    trial.suggest_float("dropout", 0, 0.5)
    study.tell(trial, 0.75)
    projection = Projection(store, "small")
    projection.open_study(params={"model": "glyphs"}, tags={}, artifacts={})
    projection.sync(study.trials)
    assert projection.flush()
    assert projection.close() is None
    return store


def get(url: str, body: dict[str, object] | None = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


@pytest.mark.timeout(200)
def test_the_pages_are_there_and_then_gone(store, tmp_path):
    port, said = free_port(), tmp_path / "said.txt"
    with ui(store, port, said) as process:
        wait_until(lambda: said.read_text() or process.poll() is not None)
        address = f"http://127.0.0.1:{port}"
        assert said.read_text().rstrip().endswith(f"{address}/#/experiments?workflowType=machine_learning")
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2

        assert b"<title>MLflow" in get(address)
        found = json.loads(get(f"{address}/api/2.0/mlflow/runs/search", {"experiment_ids": ["1"]}))
        params = [run["data"].get("params", []) for run in found["runs"]]
        assert {param["key"] for one in params for param in one} == {"model", "dropout"}
        listening = {
            connection.laddr.ip
            for child in children
            for connection in child.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}

        # A second one on the same port is refused, and says what would be right.
        with pytest.raises(InputError, match=rf"port {port} of 127.0.0.1 must be free.*another --port"):
            serve(store, port, print)

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert len(said.read_text().splitlines()) == 1
        wait_until(lambda: not any(child.is_running() for child in children), 5)
    with pytest.raises(urllib.error.URLError):
        get(address)


@pytest.mark.timeout(100)
def test_ctrl_c_while_it_starts_leaves_nothing_either(store, tmp_path):
    said = tmp_path / "said.txt"
    with ui(store, free_port(), said) as process:
        us = psutil.Process(process.pid)
        wait_until(lambda: us.children() or process.poll() is not None)
        children = us.children()
        assert children
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert said.read_text() == ""
        wait_until(lambda: not any(child.is_running() for child in children), 5)


def test_a_store_in_which_nothing_was_run_is_not_made(tmp_path):
    with pytest.raises(InputError, match=r"no study was run in .* yet"):
        serve(Store(tmp_path / "mlruns"), free_port(), print)
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.timeout(100)
def test_a_server_that_does_not_start_says_why(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", "rubbish")
    with pytest.raises(StudyError, match=r"MLflow ended with code .*rubbish"):
        serve(store, free_port(), print)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
