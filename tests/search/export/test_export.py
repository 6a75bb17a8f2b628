"""A winner is exported whole or not at all, and the folder's network is the study's."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from safetensors.torch import load_file

from search.checkpoints import CONFIRM, SEARCH, Checkpoints
from search.errors import StudyError
from search.execution.names import BEST
from search.export import export as exporting
from search.export.export import export_best
from search.overview import best_recipe, load_study
from spaces import InputError
from tests.conftest import QUIET_CPU, small_dataset
from tests.search.cli.parts import FINISHED
from tests.search.finished import finish
from trainables.exported import Exported
from trainables.soundness.calibration import figures, fit_temperature

ONE = {**FINISHED, **QUIET_CPU, "trials": 1}
FILES = ["README.md", "model.json", "model.safetensors", "recipe.yaml"]


def studied(store, **changes):
    settings = {**ONE, **changes}
    finish(store, settings)
    return load_study(store, settings["name"])


def accuracy(exported: Exported, images) -> float:
    said = [one.best()[0][0] for one in exported.predict(images.pixels)]
    return float(np.mean([label == str(truth) for label, truth in zip(said, images.labels, strict=True)]))


def test_the_folder_is_the_winner(store, tmp_path):
    study = studied(store, trials=2)
    folder = tmp_path / "new" / "model"
    export_best(study, folder)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    winner = study.result().best
    loaded = Exported.load(folder, device="cpu")
    data = small_dataset()
    assert accuracy(loaded, data.val) == winner.score
    logits, labels = loaded.logits(data.val.pixels), torch.from_numpy(data.val.labels)
    written = json.loads((folder / "model.json").read_text())
    assert written["temperature"] == pytest.approx(fit_temperature(logits, labels), rel=1e-4)
    assert written["labels"] == list(data.classes)
    assert written["source"] == {"study": "small", "trial": winner.number, "version": "0.1.0"}
    assert (folder / "recipe.yaml").read_text() == best_recipe(study)
    assert yaml.safe_load(best_recipe(study))["params"] == winner.params
    card = (folder / "README.md").read_text()
    right = round(winner.score * 32)
    assert f"right on {right} of the 32 images of the validation split" in card
    assert "There is no confirmed answer: the study has none (finalists: 0)" in card
    before, after = figures(logits, labels), figures(logits.double() / written["temperature"], labels)
    for one in (before, after):
        assert f"| {one.nll:.4f} | {one.brier:.4f} | {one.reliability.ece:.4f} |" in card
    assert str(store.root) not in card


def test_a_head_comes_with_its_backbone_and_nothing_more_is_needed(store, tmp_path, weights):
    """Weights of a file, and a checkpoint that holds the classifier alone."""
    file = tmp_path / "pretrained.safetensors"
    file.write_bytes(weights.read_bytes())
    study = studied(store, pretrained=str(file), strategy=["feature_extraction"], mean=[0.4], std=[0.2])
    held = Checkpoints(store, "small").place(SEARCH, 0).load(BEST)
    assert len(held["weights"]) == 2
    export_best(study, tmp_path / "model")
    file.unlink()
    written, pretrained = load_file(tmp_path / "model" / "model.safetensors"), load_file(weights)
    assert len(written) == len(pretrained)
    for name, tensor in written.items():
        expected = held["weights"].get(name, pretrained[name])
        assert torch.equal(tensor, expected), name
    loaded = Exported.load(tmp_path / "model", device="cpu")
    assert loaded.description.input.mean == (0.4,)
    assert accuracy(loaded, small_dataset().val) == study.result().best.score
    with pytest.raises(InputError, match="pretrained must be true, false or a file of weights"):
        export_best(study, tmp_path / "other")  # the rest of the network is in that file alone
    assert not (tmp_path / "other").exists()


def test_a_whole_checkpoint_needs_no_pretrained_weights(store, tmp_path, weights):
    file = tmp_path / "pretrained.safetensors"
    file.write_bytes(weights.read_bytes())
    study = studied(store, pretrained=str(file), strategy=["full"])
    file.unlink()
    exported = export_best(study, tmp_path / "model")
    assert accuracy(exported, small_dataset().val) == study.result().best.score


def test_of_folds_the_best_is_taken_and_said_to_be(store, tmp_path):
    study = studied(store, folds=3)
    folds = Checkpoints(store, "small").place(SEARCH, 0).load(BEST)["folds"]
    best = max(range(3), key=lambda fold: folds[fold]["score"])
    export_best(study, tmp_path / "model")
    written = load_file(tmp_path / "model" / "model.safetensors")
    assert all(torch.equal(written[name], tensor) for name, tensor in folds[best]["weights"].items())
    card = " ".join((tmp_path / "model" / "README.md").read_text().split())
    assert "A trial is a training on each of 3 parts of the data. This is the network of one of them" in card
    assert f"of fold {best + 1}, the best on part {best + 1} of 3" in card
    assert f"fitted on the {len(small_dataset().train) + 32} images" not in card


def test_weights_that_are_gone_and_those_that_stand_for_them(store, tmp_path):
    study = studied(store)
    checkpoints = Checkpoints(store, "small")
    state = checkpoints.place(SEARCH, 0).load(BEST)
    checkpoints.place(SEARCH, 0).put(BEST, b"cut short")
    with pytest.raises(
        InputError, match=r"but those of trial 0 of 'small' in .*best.pt are not whole; train it ag"
    ):
        export_best(study, tmp_path / "model")
    checkpoints.place(SEARCH, 0).clear()
    with pytest.raises(InputError) as refused:
        export_best(study, tmp_path / "model")
    assert str(refused.value) == (
        "the winner must have its weights, but those of trial 0 of 'small' are gone; train it again: "
        "`finetune-search best small > recipe.yaml`, then `finetune-search train recipe.yaml --out weights.safetensors`"
    )
    checkpoints.place(SEARCH, 0).save(BEST, {**state, "weights": {"strange": torch.ones(2)}})
    with pytest.raises(
        StudyError, match="the weights of trial 0 cannot be loaded: the weights must be those of"
    ):
        export_best(study, tmp_path / "model")
    nan = {name: tensor * float("nan") for name, tensor in state["weights"].items()}
    checkpoints.place(SEARCH, 0).save(BEST, {**state, "weights": nan})
    with pytest.raises(StudyError, match="gives values that are not finite"):
        export_best(study, tmp_path / "model")
    assert checkpoints.place(CONFIRM, 0).files() == {}
    assert not list(tmp_path.glob("*model*"))


def test_data_that_has_changed_is_refused(store, tmp_path, monkeypatch):
    study = studied(store)
    monkeypatch.setattr("tests.search.parts.small_dataset", lambda: small_dataset(side=16))
    with pytest.raises(
        InputError, match="the images, labels and splits of study 'small' must be those of its winner"
    ):
        export_best(study, tmp_path / "model")


def test_nothing_of_the_users_is_overwritten_and_nothing_is_left_half_made(store, tmp_path, monkeypatch):
    study = studied(store)
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"--export must be a new or empty folder .* Directory not empty"):
        export_best(study, full)
    with pytest.raises(InputError, match="File exists"):
        export_best(study, full / "notes.txt")
    with pytest.raises(InputError, match="File exists"):
        export_best(study, full / "notes.txt" / "model")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="but got the working folder itself"):
        export_best(study, tmp_path / "here")
    before = sorted(tmp_path.iterdir())

    def interrupted(*arguments: object, **settings: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(exporting, "model_card", interrupted)
        with pytest.raises(KeyboardInterrupt):
            export_best(study, tmp_path / "model")
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "model").mkdir()
    export_best(study, tmp_path / "model")  # an empty folder is as good as none
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == FILES
    assert (full / "notes.txt").read_text() == "mine"


def test_a_network_that_is_not_all_in_its_weights_is_not_exported(store, tmp_path, monkeypatch):
    study = studied(store)
    load = Exported.load.__func__

    def other(cls, *arguments, **settings):
        loaded = load(cls, *arguments, **settings)
        loaded.network.fc.bias.data += torch.arange(4.0)
        return loaded

    monkeypatch.setattr(Exported, "load", classmethod(other))
    with pytest.raises(
        StudyError, match="must be all in its weights, but made anew with them it gives other outputs"
    ):
        export_best(study, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_validation_that_is_all_right_leaves_the_temperature_alone(store, tmp_path):
    study = studied(store, epochs=8, repeats=8, **{"strategy.full.lr": 3e-3, "strategy": ["full"]})
    assert study.result().best.score == 1.0
    export_best(study, tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    temperature = json.loads((tmp_path / "model" / "model.json").read_text())["temperature"]
    assert (temperature == 1.0) == ("No temperature was fitted" in card)
    assert temperature > 0.05


def test_a_training_of_ones_own_is_not_exported(store, tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_TEST_LOG", str(tmp_path / "log"))
    study = studied(store, trainable="tests.search.parts:Logged")
    with pytest.raises(
        InputError, match=r"trains by the project's own core, but 'small' does by 'tests\.search"
    ):
        export_best(study, tmp_path / "model")


def test_what_onnx_needs_is_said_before_anything_is_done(store, tmp_path, monkeypatch):
    study = studied(store)
    monkeypatch.setattr("trainables.exported.onnx.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--onnx needs onnx and onnxscript, but .*: pip install "):
        export_best(study, tmp_path / "model", onnx=True)
    assert not (tmp_path / "model").exists()


def test_onnx_says_the_same(store, tmp_path):
    study = studied(store)
    exported = export_best(study, tmp_path / "model", onnx=True)
    file = tmp_path / "model" / "model.onnx"
    onnx.checker.check_model(str(file), full_check=True)
    shape = onnx.load(str(file)).graph.input[0].type.tensor_type.shape.dim
    assert shape[0].dim_param == "batch"
    pixels = small_dataset().val.pixels
    expected = exported.probabilities(exported.logits(pixels)).cpu().numpy()
    session = onnxruntime.InferenceSession(str(file))
    for count in (1, 9):
        images = (pixels[:count].transpose(0, 3, 1, 2) / 255).astype(np.float32)
        np.testing.assert_allclose(session.run(None, {"images": images})[0], expected[:count], atol=1e-5)
