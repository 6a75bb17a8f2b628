"""Studies on a cluster that runs already: nodes without the driver's disk, one that dies, jobs from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import optuna
import pytest
import yaml

from search import Store
from search.ledger import FAULTS
from search.store.databases import open_storage
from search.tracking.states import mlflow_states
from tests.search.cluster import ray_cluster
from tests.trainables.data.pictures import scene

ROOT = Path(__file__).parents[3]
MINE = """
import os
import ray
from trainables.builder import from_params

class Mine:
    '''The real training; who trained which epoch is written down.'''
    def __init__(self, params, fixed, seed, material):
        self._inner, self._seed = from_params(params, fixed, seed, material), seed
        self.state_dict, self.load_state_dict = self._inner.state_dict, self._inner.load_state_dict

    def epochs(self):
        for record in self._inner.epochs():
            where = "near" if os.path.exists({home!r}) else "far"
            with open({log!r}, "a") as log:
                log.write(f"{{where}}-{{ray.get_runtime_context().get_node_id()}} {{self._seed}} {{record.epoch}}\\n")
            yield record
"""
STUDY = {
    "name": "far", "data": "pictures", "model": "test_resnet", "pretrained": False, "precision": "fp32",
    "image_size": 32, "epochs": 5, "repeats": 12, "trials": 4, "finalists": 0, "workers": 2,
    "searcher": "random", "scheduler": "none", "trainable": "mine:Mine",
    "narrow": {"strategy": ["full"], "batch_size": 8},
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's folder: a study, pictures and code of the user's own."""
    folder = tmp_path / "home"
    for label in ("left", "right"):
        (folder / "pictures" / label).mkdir(parents=True)
        for number in range(20):
            scene(1000 * (label == "left") + number, 32).save(folder / "pictures" / label / f"{number}.png")
    (folder / "pictures" / ".gitignore").write_text("*\n")  # as a tool that keeps data out of git does
    (folder / "mine.py").write_text(
        MINE.format(log=str(tmp_path / "epochs.log"), home=str(folder / "study.yaml"))
    )
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return folder


@pytest.fixture
def typed(home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Types a command in the user's folder."""

    def type_in(*words: str, user: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "search", *words], cwd=home, capture_output=True, text=True, timeout=280,
            env={**(user or os.environ), "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        )  # fmt: skip

    return type_in


def epochs(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def in_the_middle(trained: list[list[str]]) -> bool:
    """Whether a trial on the far node has come to its second epoch or its third, of five."""
    return [epoch for where, _, epoch in trained if where.startswith("far")][-1:] in (["2"], ["3"])


def run_through(befall: Callable[[], object], cluster, home: Path, tmp_path: Path) -> None:
    """Runs the study to its end; in the middle of a trial on the far node something befalls the cluster."""
    with (tmp_path / "said").open("w+") as said:
        driver = subprocess.Popen(
            [sys.executable, "-m", "search", "run", "study.yaml", "--address", cluster.address],
            cwd=home, stdout=said, stderr=said, env={**cluster.user, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        until = time.monotonic() + 200
        while driver.poll() is None and not in_the_middle(epochs(tmp_path / "epochs.log")):
            assert time.monotonic() < until, said.read()
            time.sleep(0.05)
        befall()
        code = driver.wait(timeout=250)
        said.seek(0)
        assert code == 0, said.read()


@pytest.mark.timeout(400)
def test_a_node_without_the_drivers_disk_trains_and_its_death_costs_only_an_epoch(home, tmp_path):
    log = tmp_path / "epochs.log"
    # Ray's processes outlive their node by a second or two: a trial should not come to its end in them.
    (home / "study.yaml").write_text(yaml.safe_dump({**STUDY, "repeats": 30}))
    with ray_cluster(cpus=1) as cluster:
        far = cluster.add(cpus=1, without=home)  # no store, no pictures, no module of the user's
        run_through(lambda: cluster.kill(far), cluster, home, tmp_path)
    store = Store(home / "mlruns")
    trials = optuna.load_study(study_name="far", storage=open_storage(store)).trials
    assert [(trial.state.name, len(trial.intermediate_values)) for trial in trials] == [("COMPLETE", 5)] * 4
    assert mlflow_states(store, "far") == dict.fromkeys(range(4), ("FINISHED", "COMPLETE"))
    assert sum(FAULTS in trial.user_attrs for trial in trials) == 1
    # Its checkpoint was on the driver's disk, so no more is trained again than was under way.
    times = Counter((seed, epoch) for _, seed, epoch in epochs(log))
    assert {where.partition("-")[0] for where, _, _ in epochs(log)} == {"near", "far"}
    assert len(times) == 20
    assert sum(times.values()) <= 22
    assert not list(store.study_checkpoints("far").path.rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_processes_of_a_trial_may_be_on_nodes_that_share_no_disk(home, tmp_path, typed):
    """Each node has room for one; the far one goes on with a trial from a checkpoint that the near one has written."""
    several = {
        **STUDY,
        "workers": 1,
        "processes_per_trial": 2,
        "trials": 3,
        "scheduler": "promotion",
        "grace": 1,
    }
    (home / "study.yaml").write_text(yaml.safe_dump(several))
    with ray_cluster(cpus=1) as cluster:
        cluster.add(cpus=1, without=home)
        said = typed("run", "study.yaml", "--address", cluster.address, user=cluster.user)
        assert said.returncode == 0, said.stdout + said.stderr
    trials = optuna.load_study(study_name="far", storage=open_storage(Store(home / "mlruns"))).trials
    assert {trial.state.name for trial in trials} == {"COMPLETE", "PRUNED"}
    trained = Counter(
        (where.partition("-")[0], seed, epoch) for where, seed, epoch in epochs(tmp_path / "epochs.log")
    )
    assert set(trained.values()) == {1}
    assert {key[1:] for key in trained if key[0] == "near"} == {key[1:] for key in trained if key[0] == "far"}
    assert len(trained) == 2 * sum(len(trial.intermediate_values) for trial in trials)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_node_that_dies_with_one_of_a_trials_processes_costs_only_an_epoch(home, tmp_path):
    """The others hear of it first, as of a connection that is lost; another node takes its place."""
    several = {**STUDY, "workers": 1, "processes_per_trial": 2, "trials": 2, "repeats": 40}
    (home / "study.yaml").write_text(yaml.safe_dump(several))
    with ray_cluster(cpus=1) as cluster:
        far = cluster.add(cpus=1, without=home)
        run_through(lambda: (cluster.kill(far), cluster.add(cpus=1, without=home)), cluster, home, tmp_path)
    trials = optuna.load_study(study_name="far", storage=open_storage(Store(home / "mlruns"))).trials
    assert [(trial.state.name, len(trial.intermediate_values)) for trial in trials] == [("COMPLETE", 5)] * 2
    assert sum(FAULTS in trial.user_attrs for trial in trials) == 1


@pytest.mark.timeout(400)
def test_a_cluster_that_can_grow_is_asked_for_what_the_study_can_use(home, typed, tmp_path):
    with ray_cluster(cpus=1, more=1) as cluster:
        done = typed("run", "study.yaml", "--address", cluster.address, user=cluster.user)
    assert done.returncode == 0, done.stderr
    assert len({node for node, _, _ in epochs(tmp_path / "epochs.log")}) == 2
    trials = optuna.load_study(study_name="far", storage=open_storage(Store(home / "mlruns"))).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4


@pytest.mark.timeout(500)
def test_a_study_is_submitted_watched_stopped_and_goes_on(home, typed, tmp_path):
    there = tmp_path / "there"
    (home / "study.yaml").write_text(yaml.safe_dump({**STUDY, "repeats": 40}))
    with ray_cluster(cpus=2) as cluster:
        at = ("--address", cluster.dashboard)
        said_to = partial(typed, user=cluster.user)
        assert said_to("status", *at).stdout == "no study was submitted there yet\n"
        first = said_to("submit", *at, "--store", str(there), "study.yaml")
        assert first.returncode == 0, first.stderr
        job = first.stdout.splitlines()[0].removeprefix("submitted ")
        (home / "pictures").rename(home / "elsewhere")  # what was sent is there
        until = time.monotonic() + 120
        while len(epochs(tmp_path / "epochs.log")) < 3:
            assert time.monotonic() < until, said_to("logs", "far", *at).stdout
            time.sleep(0.2)
        assert "RUNNING" in said_to("status", job, *at).stdout
        assert said_to("stop", "far", *at).stdout == f"{job} ends its epochs and stops\n"
        until = time.monotonic() + 120
        while "STOPPED" not in said_to("status", job, *at).stdout:
            assert time.monotonic() < until
        said = said_to("logs", job, *at).stdout
        assert "the same command goes on where it stopped" in said
        (home / "elsewhere").rename(home / "pictures")
        again = said_to("submit", *at, "--store", str(there), "study.yaml", "--trials", "5", "--center-lr")
        job = again.stdout.splitlines()[0].removeprefix("submitted ")
        followed = said_to("logs", job, "--follow", *at)
        assert followed.returncode == 0, followed.stderr
        assert "SUCCEEDED" in said_to("status", job, *at).stdout, followed.stdout
        assert "trial" in followed.stdout
        assert said_to("stop", job, *at).stdout == f"{job} was over already\n"
        missing = said_to("logs", "nobody", *at)
        assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
        assert missing.stderr.startswith(
            "finetune-search: there is no submitted study 'nobody' on this cluster"
        )
    trials = optuna.load_study(study_name="far", storage=open_storage(Store(there))).trials
    assert [(trial.state.name, len(trial.intermediate_values)) for trial in trials] == [("COMPLETE", 5)] * 5
    times = Counter((seed, epoch) for _, seed, epoch in epochs(tmp_path / "epochs.log"))
    assert len(times) == 25
    assert sum(times.values()) <= 27  # those that were under way when it was told to stop


def test_nobody_at_the_address(typed):
    refused = typed("run", "digits", "--address", "127.0.0.1:1")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
    assert "Ray's cluster at '127.0.0.1:1' could not be joined: " in refused.stderr
    refused = typed("run", "digits", "--address", "ray://head:10001")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "`ray_address` must be `auto` or `host:port`" in refused.stderr
    refused = typed("submit", "digits", "--address", "http://127.0.0.1:1")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
    refused = typed("submit", "digits", "--address", "head:8265")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    refused = typed("submit", "--like", "digits")
    assert refused.stderr.startswith(
        "finetune-search: `submit` needs a study's name or file, but got --like digits"
    )
    refused = typed("submit", "digits", "--trails", "3")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "No such option" in refused.stderr
