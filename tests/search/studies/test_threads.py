"""A study that has fewer trials at a time than the machine has cores."""

from __future__ import annotations

import os

import pytest
import yaml

from search.overview import best_recipe
from tests.search.threaded import SEEN

WANTED = {
    "trials": 1, "finalists": 0, "scheduler": "none", "searcher": "random", "epochs": 2, "workers": 1,
    "model": "tests.search.threaded:Network", "cpus_per_trial": "auto", "batch_size": 16, "repeats": 1,
    "narrow": {"strategy": ["full"]}, "preflight": False,
}  # fmt: skip


@pytest.mark.own_ray
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_cores_that_would_be_idle_are_taken_where_they_pay_and_kept(small_study, tmp_path, monkeypatch):
    study = small_study(**WANTED)
    study.run()
    assert yaml.safe_load(best_recipe(study))["threads"] == 2
    seen = tmp_path / "threads"
    monkeypatch.setenv(SEEN, str(seen))
    monkeypatch.setattr("trainables.settling.threads_that_pay", pytest.fail)  # known from before
    small_study(**{**WANTED, "trials": 2}).run()
    assert set(seen.read_text().split()) == {"2"}
    assert yaml.safe_load(best_recipe(study))["threads"] == 2
