"""Studies on folders of pictures: from the first command to an answer, and on from where they stood."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np
import optuna
import pytest

from search import Objective, Store, Study
from search.reading import load_spec
from search.store.databases import open_storage
from search.view.silent import Silent
from spaces import InputError
from tests.trainables.data.pictures import encoded, scene, tinted, write, write_classes
from trainables.data import Arrays, load_dataset
from trainables.data.preprocessing import Preprocessing
from trainables.data.reading import Reading, read_dataset

SETTINGS = {
    "model": "test_resnet", "pretrained": False, "image_size": 32, "epochs": 2, "warmup_epochs": 0.5, "trials": 2,
    "finalists": 1, "finalist_seeds": 1, "searcher": "random", "precision": "fp32", "repeats": 1, "workers": 1,
    "batch_size": 8, "strategy": "full", "scheduler": "none",
}  # fmt: skip


class Notes(Silent):
    """What the user is told besides the trials."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.phases: list[str] = []

    def on_note(self, text: str) -> None:
        self.notes.append(text)

    def on_phase(self, text: str) -> None:
        self.phases.append(text)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))
    return write_classes(tmp_path / "photos", classes=2, images=30)


def study_on(photos, tmp_path, **more):
    return Study.load("images", store=Store(tmp_path / "mlruns"), **{"data": str(photos), **SETTINGS, **more})


@pytest.mark.timeout(300)
def test_a_study_on_a_folder_runs_to_its_answer_and_is_held_to_its_images(photos, tmp_path):
    write(photos / "class_0" / "broken.jpg", b"no picture")
    study = study_on(photos, tmp_path)
    assert study.spec.name == "photos"
    view = Notes()
    result = study.run(view)
    assert [trial.state for trial in result.trials] == ["COMPLETE", "COMPLETE"]
    assert result.answer is not None
    assert len(result.answer.winner.test) == 1
    assert view.phases[:2] == ["preparing data", "decoding 61 images into 1 MB (once)"]
    assert len(view.notes) == 2
    assert view.notes[1].startswith("the winner is version 1 of MLflow's registered model 'photos'")
    assert view.notes[0].startswith(
        "1 of 61 images cannot be read and are left out, the first 'class_0/broken.jpg'"
    )

    # The split is kept with the study.
    tables = {path.read_text("utf-8") for path in study.store.artifacts.rglob("split.csv")}
    assert len(tables) == 1  # the search's and the confirmation's
    table = tables.pop()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len(rows) == 61
    dataset = load_dataset(str(photos), 0, Reading(Preprocessing(32)))
    counted = {
        split: sum(row["split"] == split for row in rows) for split in ("train", "val", "test", "left out")
    }
    assert counted == {
        "train": len(dataset.train),
        "val": len(dataset.val),
        "test": len(dataset.test),
        "left out": 1,
    }
    assert (
        next(row["reason"] for row in rows if row["split"] == "left out") == "no image format that is known"
    )

    # The same images with new times are the same; more trials go on.
    for path in photos.rglob("*.png"):
        os.utime(path)
    longer = study_on(photos, tmp_path, trials=3).run()
    assert [trial.state for trial in longer.trials] == ["COMPLETE"] * 3

    # So are they at another place.
    photos = photos.rename(photos.with_name("moved"))
    moved = study_on(photos, tmp_path, trials=3, name="photos").run()
    assert [trial.state for trial in moved.trials] == ["COMPLETE"] * 3

    # Another image is another data set: trials on it could not be compared.
    victim = photos / "class_0" / "00.png"
    victim.write_bytes(encoded(scene(999)))
    with pytest.raises(InputError, match=r"must stay as they were when it began, but data .* has changed"):
        study_on(photos, tmp_path, trials=4, name="photos").run()
    ledger = optuna.load_study(study_name="photos", storage=open_storage(study.store))
    assert [trial.state.name for trial in ledger.trials] == ["COMPLETE"] * 3


def test_a_study_file_names_its_data_from_its_own_folder(photos, tmp_path, monkeypatch):
    path = photos.parent / "study.yaml"
    path.write_text("data: photos\nspace: scratch\nepochs: 2\n")
    monkeypatch.chdir(Path("/"))
    assert load_spec(str(path)).data == str(photos)
    monkeypatch.chdir(photos.parent)
    assert load_spec("images", {"data": "photos"}).data == str(photos)
    assert load_spec("images", {"data": "photos"}).name == "photos"
    monkeypatch.chdir(photos)
    assert load_spec("images", {"data": "."}).name == "photos"


def test_a_folder_beside_a_study_is_no_space(tmp_path):
    (tmp_path / "scratch").mkdir()
    path = tmp_path / "study.yaml"
    path.write_text("data: digits\nspace: scratch\n")
    assert load_spec(str(path)).space == "scratch"


def test_the_study_for_images_needs_some(tmp_path):
    with pytest.raises(InputError, match="data must be named"):
        Study.load("images", store=Store(tmp_path / "mlruns")).run()


def test_an_objective_takes_arrays_and_folders(photos, tmp_path):
    pixels = np.stack([np.asarray(tinted(n % 2, 2, n, side=32)) for n in range(60)])
    arrays = read_dataset("mine", Arrays(pixels, np.arange(60) % 2), Reading(Preprocessing(32, 1.0)))
    for data, image_size in ((arrays, None), (str(photos), 32)):
        objective = Objective(
            data, "scratch", 1, model="test_resnet", store=False, pretrained=False, precision="fp32",
            warmup_epochs=0.5, image_size=image_size,
        )  # fmt: skip
        study = optuna.create_study(direction="maximize")
        study.optimize(objective, n_trials=1)
        assert 0 <= study.best_value <= 1
