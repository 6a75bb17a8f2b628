"""Studies whose ledger is on PostgreSQL and whose runs are on MLflow's server; both go away in mid-study."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

import optuna
import pytest

from search import Store, Study
from search.store.databases import open_storage
from search.tracking.states import mlflow_states
from search.view.silent import Silent
from tests.search.parts import LOG
from tests.search.servers import mlflow_server, postgres
from tests.search.studies.conftest import SMALL

pytestmark = pytest.mark.own_ray

AWAY = 8.0
"""Seconds."""
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}


class Outage(Silent):
    """Takes something away after so many records, and brings it back after `AWAY`; keeps what is said of it."""

    def __init__(self, *servers: Any, after: int) -> None:
        super().__init__()
        self._servers, self._after = servers, after
        self.said: list[str] = []
        self.thread: threading.Thread | None = None

    def on_record(self, *told: Any, **more: Any) -> None:
        self._after -= 1
        if self._after == 0:
            for server in self._servers:
                server.stop()
            self.thread = threading.Thread(target=self._return)
            self.thread.start()

    def _return(self) -> None:
        time.sleep(AWAY)
        for server in self._servers:
            server.start()

    def on_trouble(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.timeout(400)
def test_a_ledger_and_runs_on_servers_that_go_away_for_a_while(tmp_path, monkeypatch):
    monkeypatch.setenv(LOG, str(tmp_path / "epochs.log"))
    with postgres() as database:
        database.create("runs")
        backend = database.url.replace("/studies", "/runs")
        with mlflow_server(tmp_path, backend) as tracking:
            store = Store(tmp_path / "mlruns", optuna=database.url, mlflow=tracking.url)
            settings = {
                **SMALL, "trials": 8, "workers": 2, "searcher": "random", "scheduler": "asha", "finalists": 1,
                "finalist_seeds": 2, "trainable": "tests.search.parts:Logged",
            }  # fmt: skip
            study = Study.load("digits", store=store, name="away", **settings)
            outage = Outage(database, tracking, after=12)
            result = study.run(outage)
            assert outage.thread is not None
            outage.thread.join()

            assert any("the ledger is away" in text for text in outage.said), outage.said
            assert any("the ledger is back after" in text for text in outage.said)
            trials = optuna.load_study(study_name="away", storage=open_storage(store)).trials
            assert [trial.number for trial in trials] == list(range(8))
            assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED"}
            for trial in trials:
                epochs = len(trial.intermediate_values)
                assert sorted(trial.intermediate_values) == list(range(1, epochs + 1))
            trained = Counter((tmp_path / "epochs.log").read_text().splitlines())
            assert set(trained.values()) == {1}  # nobody was taken for dead, nothing was done twice
            assert mlflow_states(store, "away") == {
                trial.number: (STATUS[trial.state.name], trial.state.name) for trial in trials
            }
            assert result.answer is not None
            assert not list((tmp_path / "mlruns").glob("spool/*"))
            assert not (tmp_path / "mlruns" / "optuna.db").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_studies_with_eight_workers_at_once_on_one_store(tmp_path):
    """By their commands, on a store where nothing was before."""
    with postgres() as database:
        database.create("runs")
        backend = database.url.replace("/studies", "/runs")
        with mlflow_server(tmp_path, backend) as tracking:
            environment = {
                **os.environ, "CI": "true", LOG: str(tmp_path / "epochs.log"),
                "FINETUNE_SEARCH_OPTUNA": database.url, "FINETUNE_SEARCH_MLFLOW": tracking.url,
            }  # fmt: skip
            studies = []
            for name in ("one", "two"):
                command = [
                    sys.executable, "-m", "search", "run", "digits", "--name", name, "--trials", "12",
                    "--set", "workers=4", "--set", "finalists=0", "--store", str(tmp_path / "mlruns"),
                ]  # fmt: skip
                studies.append(
                    subprocess.Popen(
                        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                    )
                )
            for process in studies:
                said, _ = process.communicate(timeout=800)
                assert process.returncode == 0, said
            store = Store(tmp_path / "mlruns", optuna=database.url, mlflow=tracking.url)
            for name in ("one", "two"):
                trials = optuna.load_study(study_name=name, storage=open_storage(store)).trials
                assert [trial.number for trial in trials] == list(range(12))
                assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED"}
                assert mlflow_states(store, name) == {
                    trial.number: (STATUS[trial.state.name], trial.state.name) for trial in trials
                }
