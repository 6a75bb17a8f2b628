"""A disk that fills in mid-study: the study says so and ends; with room again the same call goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from search import Store, Study, StudyError
from search.store.databases import open_storage
from search.tracking.states import mlflow_states
from search.view.silent import Silent
from tests.search.parts import LOG
from tests.search.studies.conftest import SMALL

pytestmark = pytest.mark.own_ray

STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small one of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)], capture_output=True
        ).returncode
    ):
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


SETTINGS: dict[str, Any] = {
    **SMALL, "trials": 6, "workers": 2, "searcher": "random", "scheduler": "asha", "finalists": 0,
    "trainable": "tests.search.parts:Logged",
}  # fmt: skip


class Filling(Silent):
    """Fills the disk after so many records, but for some bytes; keeps what is said."""

    def __init__(self, disk: Path, left: int, after: int) -> None:
        super().__init__()
        self._disk, self._left, self._after = disk, left, after
        self.said: list[str] = []

    def on_record(self, *told: Any, **more: Any) -> None:
        self._after -= 1
        if self._after == 0:
            with (self._disk / "filler").open("wb", buffering=0) as filler:
                free = shutil.disk_usage(self._disk).free - self._left
                while free > 0:
                    try:
                        free -= filler.write(bytes(min(free, 65536)))
                    except OSError:
                        break
                os.fsync(filler.fileno())

    def on_trouble(self, text: str) -> None:
        self.said.append(text)


class Freeing(Filling):
    """Makes room again a while after it is said that there is none."""

    def on_trouble(self, text: str) -> None:
        super().on_trouble(text)
        if "has no room" in text:
            threading.Timer(2.0, (self._disk / "filler").unlink).start()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("left", [pytest.param(0, marks=pytest.mark.slow), 400_000])
def test_a_study_on_a_disk_that_fills_ends_with_a_sentence_and_goes_on(disk, tmp_path, monkeypatch, left):
    monkeypatch.setenv(LOG, str(tmp_path / "epochs.log"))
    monkeypatch.setattr("search.study.AWAY", 3.0)
    study = Study.load("digits", store=Store(disk / "mlruns"), name="full", **SETTINGS)
    with pytest.raises(StudyError, match="the same command goes on") as told:
        study.run(Filling(disk, left, after=8))
    print(told.value)
    assert "No space left on device" in str(told.value) or "disk is full" in str(told.value)
    (disk / "filler").unlink()
    study.run()
    check(study, tmp_path / "epochs.log")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("left", [0, pytest.param(400_000, marks=pytest.mark.slow)])
def test_a_study_waits_for_a_disk_to_have_room(disk, tmp_path, monkeypatch, left):
    monkeypatch.setenv(LOG, str(tmp_path / "epochs.log"))
    study = Study.load("digits", store=Store(disk / "mlruns"), name="full", **SETTINGS)
    freeing = Freeing(disk, left, after=8)
    study.run(freeing)
    assert any(text.startswith("the disk has no room (") for text in freeing.said)
    assert any(text.startswith("the disk has room again after ") for text in freeing.said)
    assert not list((disk / "mlruns").rglob("room"))
    check(study, tmp_path / "epochs.log")


def check(study: Study, log: Path) -> None:
    """Nothing is missing, and next to nothing was done twice."""
    trials = optuna.load_study(study_name="full", storage=open_storage(study.store)).trials
    assert [trial.number for trial in trials] == list(range(6))
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED"}
    for trial in trials:
        assert sorted(trial.intermediate_values) == list(range(1, len(trial.intermediate_values) + 1))
    assert mlflow_states(study.store, "full") == {
        trial.number: (STATUS[trial.state.name], trial.state.name) for trial in trials
    }
    trained = Counter(log.read_text().splitlines())
    # Of the two in flight and the one that waited, an epoch that could not be written and the one after it.
    assert sum(trained.values()) - len(trained) <= 6
