"""A winner is taken away and put to use as a user would."""

from __future__ import annotations

import csv
import json

import pytest

from tests.conftest import small_dataset
from tests.trainables.data.pictures import encoded, scene, write
from trainables.exported import Exported


@pytest.fixture
def model(finished, command, tmp_path):
    """The folder of an exported winner."""
    code, out, err = command("best", "small", "--export", tmp_path / "model")
    assert (code, err) == (0, "")
    files, how = out.splitlines()
    assert files.startswith(f"{tmp_path / 'model'}: README.md, model.json, model.safetensors, recipe.yaml (")
    assert how == f"finetune-search predict {tmp_path / 'model'} image.jpg"
    return tmp_path / "model"


def photographs(root):
    for number in range(3):
        write(root / "deeper" / f"{number}.png", encoded(scene(number)))
    write(root / "a.jpg", encoded(scene(9), "JPEG"))
    write(root / ".hidden.png", encoded(scene(4)))
    write(root / "notes.txt", b"no image")
    return root


def test_what_is_said_of_files_and_folders(command, model, tmp_path):
    root = photographs(tmp_path / "photos")
    write(root / "deeper" / "bad\x1b[31m.png", b"no image either")
    write(tmp_path / "cut.png", encoded(scene(5))[:500])
    code, out, err = command("predict", model, root, tmp_path / "cut.png", root / "a.jpg")
    assert code == 1
    paths = [root / "a.jpg", *(root / "deeper" / f"{number}.png" for number in range(3)), root / "a.jpg"]
    said = list(Exported.load(model).predict(paths))
    assert out.splitlines() == [
        f"{one.name}: {one.best()[0][0]} {100 * one.best()[0][1]:.1f} %" for one in said
    ]
    bad, cut = err.splitlines()
    assert bad == f"finetune-search: {root}/deeper/bad�[31m.png: no image format that is known"
    assert cut.startswith(f"finetune-search: {tmp_path / 'cut.png'}: ")

    code, out, err = command("predict", model, root / "a.jpg", "--top", 2, "--batch", 1)
    assert (code, err) == (0, "")
    (first, share), (second, _) = said[0].best(2)
    assert out.startswith(f"{root / 'a.jpg'}: {first} {100 * share:.1f} %, {second} ")

    code, out, _ = command(
        "predict", model, root / "a.jpg", root / "deeper/0.png", "--format", "csv", "--top", 9
    )
    rows = list(csv.DictReader(out.splitlines()))
    assert len(rows) == 2 * len(small_dataset().classes)
    assert {row["image"] for row in rows} == {str(root / "a.jpg"), str(root / "deeper/0.png")}
    assert float(rows[0]["probability"]) == pytest.approx(share, abs=1e-6)

    code, out, _ = command("predict", model, root / "a.jpg", "--format", "json")
    assert json.loads(out) == {
        "image": str(root / "a.jpg"),
        "classes": [{"label": first, "probability": pytest.approx(share, abs=1e-6)}],
    }


def test_no_escape_sequence_of_a_label_reaches_the_terminal(command, model, tmp_path):
    write(tmp_path / "a.png", encoded(scene(1)))
    written = json.loads((model / "model.json").read_text())
    written["labels"] = [f"\x1b]0;owned\x07 cat\n{number}" for number in range(4)]
    (model / "model.json").write_text(json.dumps(written))
    for form in ("text", "csv", "json"):
        code, out, _ = command("predict", model, tmp_path / "a.png", "--format", form)
        assert code == 0
        assert "owned" in out
        assert all(mark.isprintable() or mark == "\n" for mark in out)


def test_what_is_refused(refused, model, tmp_path):
    (tmp_path / "none").mkdir()
    picture = write(tmp_path / "a.png", encoded(scene(1)))
    there = "a folder must have images in it or below it, but"
    assert refused("predict", model, tmp_path / "none") == f"{there} '{tmp_path / 'none'}' has none"
    nothing = refused("predict", model, tmp_path / "b.png", picture)
    assert (
        nothing == f"an image must be a file or folder that is there, but there is no '{tmp_path / 'b.png'}'"
    )
    assert refused("predict", tmp_path / "none", picture).startswith(
        "a model must be a folder that `best --export` wrote, but "
    )
    assert "--top" in refused("predict", model, picture, "--top", "0")
    assert "--format" in refused("predict", model, picture, "--format", "xml")
    assert refused("best", "small", "--onnx").startswith("--onnx needs --export DIR")
    assert refused("best", "small", "--export", model).endswith("Directory not empty")
    written = json.loads((model / "model.json").read_text())
    written["architecture"] = "tests.search.none:make"
    (model / "model.json").write_text(json.dumps(written))
    assert "is built by code, 'tests.search.none:make'" in refused("predict", model, picture)
    assert refused("predict", model, picture, "--trust").startswith(
        "'tests.search.none:make' must be importable"
    )
