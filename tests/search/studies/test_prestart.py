"""Workers' processes are there, their imports made, before Tune asks for them."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from ray.tune.execution import class_cache

from search.execution.cluster import LocalCluster
from search.execution.prestart import FIXED, MODULES, PASSED_ON
from search.execution.resources import Resources

pytestmark = pytest.mark.own_ray


def test_the_environment_is_that_of_tunes_actors():
    assert class_cache.DEFAULT_ENV_VARS == FIXED
    assert class_cache.ENV_VARS_TO_PROPAGATE == PASSED_ON


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "broken",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["as it is", "where Ray does not take the wish"],
)
def test_tunes_actors_get_the_processes_that_were_started_ahead(broken, tmp_path, monkeypatch):
    if broken:
        monkeypatch.setattr("search.execution.cluster.prestart", lambda processes: 1 / 0)
    with LocalCluster(1) as cluster:
        cluster.start(Resources(2, 1, 0.0), 0, early=True)
        cluster.ready()
        from ray import tune

        until = time.monotonic() + 60
        while not broken and len(idle(os.getpid())) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        before = set(idle(os.getpid()))
        assert len(before) == (0 if broken else 2)

        class Looking(tune.Trainable):
            def step(self) -> dict[str, Any]:
                import os
                import sys

                return {
                    "done": True,
                    "process": os.getpid(),
                    "there": all(name in sys.modules for name in MODULES),
                }

            def save_checkpoint(self, folder: str) -> None: ...

        found = tune.Tuner(
            tune.with_resources(Looking, {"cpu": 1}),
            tune_config=tune.TuneConfig(num_samples=2),
            run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
        ).fit()
        assert all(one.metrics["there"] for one in found)
        processes = {one.metrics["process"] for one in found}
        assert processes <= before or broken


def idle(driver: int) -> list[int]:
    """Ray's processes below the driver that wait for work."""
    import psutil

    return [
        process.pid
        for process in psutil.Process(driver).children(recursive=True)
        if "ray::IDLE" in " ".join(process.cmdline())
    ]
