"""What is sent to a cluster with a study, and what is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from search.execution.keeper import Keeper
from search.execution.own_code import own_code
from search.jobs import bundle
from search.jobs.bundle import bundled
from search.jobs.jobs import _stores, command
from search.reading import load_spec
from spaces import InputError
from tests.trainables.data.pictures import scene


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        scene(ord(label), 8).save(tmp_path / "photos" / label / "1.png")
    (tmp_path / "space.yaml").write_text("parameters:\n  dropout: {float: [0, 0.5], default: 0.1}\n")
    (tmp_path / "weights.safetensors").write_bytes(b"weights")
    (tmp_path / "mine_of_test.py").write_text("def make(params, fixed, seed, material): ...\n")
    (tmp_path / "study.yaml").write_text(
        "data: photos\nspace: space.yaml\npretrained: weights.safetensors\nmodel: test_resnet\n"
        "trainable: mine_of_test:make\ntrials: 3\nray_address: auto\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("mine_of_test", None)


def test_a_study_that_was_sent_is_the_same_study(home):
    spec = load_spec(str(home / "study.yaml"), {"name": "sent", "dropout": [0.1, 0.2]})
    modules = own_code(spec)
    assert modules == [home / "mine_of_test.py"]
    with bundled(spec, modules) as folder:
        assert sorted(path.name for path in folder.iterdir()) == [
            "mine_of_test.py", "study-data", "study-pretrained.safetensors", "study-space.yaml", "study.yaml"
        ]  # fmt: skip
        assert (folder / "study-data" / "b" / "1.png").read_bytes() == (home / "photos/b/1.png").read_bytes()
        there = load_spec(str(folder / "study.yaml"))
        assert there.search_space() == spec.search_space()
        moved = {"data": spec.data, "pretrained": spec.pretrained, "space": spec.space, "ray_address": "auto"}
        assert there.model_copy(update=moved) == spec
        assert there.data == str(folder / "study-data")
    assert not folder.exists()
    assert (home / "photos" / "a" / "1.png").exists()


def test_a_table_is_sent_with_the_folder_that_its_images_are_in(home):
    (home / "photos" / "labels.csv").write_text("path,label\na/1.png,a\nb/1.png,b\n")
    spec = load_spec("images", {"data": str(home / "photos" / "labels.csv")})
    with bundled(spec) as folder:
        there = load_spec(str(folder / "study.yaml"))
        assert there.data == str(folder / "study-data" / "labels.csv")
        assert Path(there.data).parent.joinpath("a", "1.png").exists()


@pytest.mark.parametrize("data", ["digits", "hf:somebody/photos", "/only/there/photos"])
def test_what_is_no_file_here_stays_as_it_is(data):
    with bundled(load_spec("digits", {"data": data, "name": "x"})) as folder:
        assert [path.name for path in folder.iterdir()] == ["study.yaml"]
        assert load_spec(str(folder / "study.yaml")).data == data


def test_data_that_are_too_large_are_refused(home, monkeypatch):
    monkeypatch.setattr(bundle, "MOST", 100)
    spec = load_spec("images", {"data": str(home / "photos")})
    with pytest.raises(InputError, match=r"must be at most 0 MiB, but are more"), bundled(spec):
        pass


def test_what_is_installed_is_not_sent():
    for trainable in ("torch.nn:Linear", "trainables.builder:from_params", "json:loads"):
        assert own_code(load_spec("digits", {}).model_copy(update={"trainable": trainable})) == []


def test_what_is_called_there_is_the_study_that_was_sent():
    call = ["python", "-m", "search", "run", "study.yaml", "--address", "auto"]
    assert command(center_lr=False) == call
    assert command(center_lr=True) == [*call, "--center-lr"]


def test_no_password_is_sent(monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_OPTUNA", "postgresql+psycopg2://me:secret@host/studies")
    monkeypatch.setenv("FINETUNE_SEARCH_MLFLOW", "http://host:5000")
    monkeypatch.delenv("FINETUNE_SEARCH_CHECKPOINTS", raising=False)
    assert _stores() == ({"FINETUNE_SEARCH_MLFLOW": "http://host:5000"}, ("FINETUNE_SEARCH_OPTUNA",))
    monkeypatch.setenv("FINETUNE_SEARCH_OPTUNA", "postgresql+psycopg2://me@host/studies")
    assert _stores()[1] == ()


def test_a_trial_elsewhere_reaches_only_its_studys_checkpoints(tmp_path):
    keeper = Keeper(str(tmp_path / "studies" / "one"))
    folder = str(tmp_path / "studies" / "one" / "7")
    keeper.put(folder, "last.pt", b"state")
    assert keeper.get(folder, "last.pt") == b"state"
    assert keeper.get(folder, "best.pt") is None
    for other in (str(tmp_path / "studies" / "two"), f"{folder}/../../two", "/etc"):
        with pytest.raises(PermissionError, match=r"checkpoints must be in .*/studies/one, but "):
            keeper.put(other, "last.pt", b"")
        with pytest.raises(PermissionError):
            keeper.get(other, "passwd")
    with pytest.raises(PermissionError):
        keeper.get(folder, "../../two/last.pt")
