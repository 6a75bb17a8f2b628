"""A study on two nodes of Ray's, one of which dies: only what ran there breaks off, and goes on at the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import optuna
import pytest
import ray

from search.execution.cluster import QUIET
from search.ledger import FAULTS
from search.store.databases import open_storage
from search.tracking.states import mlflow_states
from search.view.silent import Silent

pytestmark = pytest.mark.own_ray


class Losing(Silent):
    """Takes a node away, at once and without a word, after so many records."""

    def __init__(self, cluster: Any, node: Any, after: int) -> None:
        super().__init__()
        self._cluster, self._node, self._after = cluster, node, after

    def on_record(self, *told: Any, **more: Any) -> None:
        self._after -= 1
        if self._after == 0:
            self._cluster.remove_node(self._node, allow_graceful=False)


@pytest.fixture
def cluster(monkeypatch, small_study):  # whose environment the nodes inherit
    from ray.cluster_utils import Cluster

    for name, value in QUIET.items():
        monkeypatch.setenv(name, os.environ.get(name, value))
    # Else Ray takes a minute to be sure that a node is dead.
    monkeypatch.setenv("RAY_health_check_initial_delay_ms", "0")
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "4")
    handler = signal.getsignal(signal.SIGTERM)  # Ray takes it
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    signal.signal(signal.SIGTERM, handler)
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


@pytest.mark.slow  # one of a cluster that runs already dies in test_cluster.py, one of a study's own in tests/chaos
@pytest.mark.timeout(400)
def test_a_node_that_dies_costs_only_what_ran_there(cluster, small_study, tmp_path):
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    study = small_study(
        trials=6, finalists=0, scheduler="none", searcher="random", epochs=6, workers=2, repeats=8,
        trainable="tests.search.parts:Logged",
    )  # fmt: skip
    result = study.run(Losing(cluster, node, after=8))
    assert [(trial.state, trial.epochs) for trial in result.trials] == [("COMPLETE", 6)] * 6
    trials = optuna.load_study(study_name="small", storage=open_storage(study.store)).trials
    broke = [trial for trial in trials if FAULTS in trial.user_attrs]
    assert len(broke) == 1
    assert mlflow_states(study.store, "small") == dict.fromkeys(range(6), ("FINISHED", "COMPLETE"))
    trained = (tmp_path / "epochs.log").read_text().splitlines()
    assert (
        len(trained) - len(set(trained)) <= 2
    )  # the epoch that was under way there, and the one not yet on the disk


ALONE = """
import ray
from search.execution.cluster import LocalCluster
from search.execution.resources import Resources
with LocalCluster(1) as own:
    own.start(Resources(2, 1, 0.0), 0, early=True)
    own.ready()
    print(int(ray.cluster_resources()["CPU"]), len(ray.nodes()))
"""


def test_a_cluster_that_somebody_runs_on_this_machine_is_left_alone(cluster):
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "2 1\n"), done.stderr
    assert ray.cluster_resources()["CPU"] == 1
