"""Studies of the tests: real Ray, Optuna and MLflow on a folder of the test's own."""

from __future__ import annotations

import pytest

from search import Store, Study

SMALL = {
    "data": "tests.search.parts:quadrants",
    "model": "test_resnet",
    "pretrained": False,
    "precision": "fp32",
    "repeats": 2,
    "epochs": 9,
    "narrow": {
        "batch_size": {"low": 8, "high": 24, "default": 16},
        "strategy": ["full", "layer_decay"],
        "strategy.full.lr": {"low": 1e-5, "high": 1e-2, "default": 1e-3},
    },
}


@pytest.fixture
def small_study(tmp_path, monkeypatch):
    """A maker of small studies on a store of the test's own."""
    monkeypatch.setenv("FINETUNE_SEARCH_TEST_LOG", str(tmp_path / "epochs.log"))

    def make(name: str = "small", **settings) -> Study:
        return Study.load("digits", store=Store(tmp_path / "mlruns"), **{"name": name, **SMALL, **settings})

    return make
