"""What the tests of this folder and of those in it are given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from search.store.databases import prepare
from search.store.layout import Store


@pytest.fixture(scope="session")
def empty(tmp_path_factory) -> Path:
    """A store without a study; MLflow needs seconds to make its tables."""
    root = tmp_path_factory.mktemp("store") / "mlruns"
    prepare(Store(root))
    return root


@pytest.fixture
def store(empty, tmp_path) -> Store:
    shutil.copytree(empty, tmp_path / "mlruns")
    return Store(tmp_path / "mlruns")
