"""Studies of the tests: real Ray, Optuna and MLflow on a folder of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from search import Store, Study
from search.execution.cluster import LocalCluster
from search.execution.resources import Resources
from tests.search.parts import LOG

SMALL = {
    "data": "tests.search.parts:quadrants",
    "model": "test_resnet",
    "pretrained": False,
    "precision": "fp32",
    "memory_format": "channels_last",
    "cpus_per_trial": 1,
    "repeats": 2,
    "epochs": 9,
    "registered": False,  # which takes seconds
    "narrow": {
        "batch_size": {"low": 8, "high": 24, "default": 16},
        "strategy": ["full", "layer_decay"],
        "strategy.full.lr": {"low": 1e-5, "high": 1e-2, "default": 1e-3},
    },
}


@pytest.fixture(scope="session")
def log(tmp_path_factory) -> Path:
    """Where trials of `tests.search.parts` write, for as long as there is one Ray."""
    return tmp_path_factory.mktemp("log") / "epochs.log"


class _SharedRay:
    """One Ray for the studies of all tests, as for those of a notebook: its start takes longer than they do."""

    def __init__(self) -> None:
        self._cluster: LocalCluster | None = None

    def start(self) -> None:
        if self._cluster is None:
            self._cluster = LocalCluster(1).__enter__()
            self._cluster.start(Resources(2, 1, 0.0), most=0, early=True)
            self._cluster.ready()

    def stop(self) -> None:
        if self._cluster is not None:
            self._cluster.__exit__()
            self._cluster = None


@pytest.fixture(scope="session")
def shared_ray(log) -> Iterator[_SharedRay]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LOG, str(log))  # its processes inherit it
        shared = _SharedRay()
        yield shared
        shared.stop()


@pytest.fixture(autouse=True)
def _ray_of_ones_own(request, shared_ray) -> None:
    """A test with the mark `own_ray` has none yet."""
    if request.node.get_closest_marker("own_ray"):
        shared_ray.stop()


@pytest.fixture
def small_study(request, tmp_path, monkeypatch, log, shared_ray):
    """A maker of small studies on a store of the test's own; with the mark `own_ray` they start Ray themselves."""
    if request.node.get_closest_marker("own_ray"):
        monkeypatch.setenv(LOG, str(tmp_path / "epochs.log"))
    else:
        shared_ray.start()
        log.unlink(missing_ok=True)
        log.symlink_to(tmp_path / "epochs.log")

    def make(name: str = "small", **settings) -> Study:
        return Study.load("digits", store=Store(tmp_path / "mlruns"), **{"name": name, **SMALL, **settings})

    return make
