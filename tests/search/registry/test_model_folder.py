"""The registered model loads and answers by MLflow alone, where this project is not installed."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

from search.checkpoints import SEARCH, Checkpoints
from search.cleaning import removable
from search.execution.names import BEST
from search.registry import folder as folders
from search.registry.folder import example, requirements
from tests.search.export.test_snippet import described
from tests.search.registry.parts import client_of, crowned, registered, studied
from tests.trainables.data.pictures import encoded, scene, write
from trainables.data.decoding import decode
from trainables.exported import Exported

HIDDEN = """
import importlib.util, os, sys
sys.meta_path[:] = [one for one in sys.meta_path if "editable" not in repr(one)]
sys.path[:] = [one for one in sys.path if "editable" not in one]
assert all(importlib.util.find_spec(name) is None for name in ("spaces", "trainables", "search"))
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
"""
"""A process in which this project is not installed."""

ASKED = """
import base64, json, sys
from fastapi.testclient import TestClient
from mlflow.pyfunc import scoring_server
example = model.predict(model.input_example)
server = TestClient(scoring_server.init(model))
def ask(body):
    answer = server.post("/invocations", content=json.dumps(body), headers={"Content-Type": "application/json"})
    return answer.status_code, answer.text
pictures = [base64.b64encode(data).decode() for data in (open("image.jpg", "rb").read(), b"no image")]
with open("said.json", "w") as file:
    json.dump({
        "said": said.to_dict("records"),
        "dict": model.predict({"image": [open("image.jpg", "rb").read()]}).to_dict("records"),
        "example": example.to_dict("records"),
        "columns": [one.name for one in model.metadata.signature.outputs.inputs],
        "served": ask({"dataframe_records": [{"image": one} for one in pictures]}),
        "split": ask({"dataframe_split": {"columns": ["image"], "data": [[pictures[0]]]}}),
        "refused": ask({"dataframe_records": [{"picture": pictures[0]}]}),
        "modules": {name: str(module.__file__) for name, module in sys.modules.items()
                    if name.partition(".")[0] in ("spaces", "trainables", "search")},
    }, file)
"""


def snippet() -> str:
    """The lines of Python that the documentation shows."""
    text = Path(__file__).parents[3].joinpath("docs", "answer.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(import mlflow\n.*?)```", text, re.DOTALL)
    return str(lines)


@pytest.mark.timeout(120)
def test_it_loads_by_the_documentations_lines_where_this_project_is_not(store, tmp_path):
    study = studied(store, name="digits", trials=2)
    registered(study)
    (folder,) = store.artifacts.glob("models/*/artifacts")
    assert removable(store, ["digits"]) != []  # weights that did not win, and nothing of MLflow's
    assert not any("artifacts" in part.address for part in removable(store, ["digits"], cache=True))
    shutil.rmtree(store.root / "checkpoints")
    write(tmp_path / "image.jpg", encoded(scene(1), "JPEG"))
    ran = subprocess.run(
        [sys.executable, "-I", "-c", f"{HIDDEN}{snippet()}{ASKED}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    said = json.loads((tmp_path / "said.json").read_text())
    (one,) = Exported.load(folder / "data" / "winner").predict([tmp_path / "image.jpg"])
    label, share = one.best()[0]
    assert ran.stdout.splitlines()[-1] == f"{label} {share}"
    expected = {
        "label": label, "probability": share, "probabilities": list(one.probabilities), "reason": ""
    }  # fmt: skip
    assert said["said"] == said["dict"] == [expected]
    assert list(expected) == said["columns"]
    assert said["example"][0]["label"] in ("0", "1", "2", "3")
    code, text = said["served"]
    unread = {"label": "", "probability": 0.0, "probabilities": [], "reason": "no image format that is known"}
    assert (code, json.loads(text)) == (200, {"predictions": [expected, unread]})
    assert (said["split"][0], json.loads(said["split"][1])) == (200, {"predictions": [expected]})
    assert said["refused"][0] == 400
    assert "Model is missing inputs ['image']" in said["refused"][1]

    # All of the project's code that ran is the model's own, and what it imports is among the requirements.
    modules = said["modules"]
    assert {name.partition(".")[0] for name in modules} == {"spaces", "trainables"}
    assert all(file.startswith(f"{folder}/code/") for file in modules.values())
    wanted = {line.partition("==")[0] for line in requirements()}
    assert imported(modules.values()) - {"pydantic-core"} <= wanted  # which is pydantic's own
    assert (folder / "requirements.txt").read_text().split("\n")[1:] == requirements()


def imported(files) -> set[str]:
    """Packages that files import as soon as they are imported themselves."""
    tops = set()
    for file in files:
        for node in ast.parse(Path(file).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                tops |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                tops.add(str(node.module).partition(".")[0])
    known = packages_distributions()
    found = {known[top][0] for top in tops - set(sys.stdlib_module_names) - {"spaces", "trainables"}}
    return {name.lower().replace("_", "-") for name in found}


def test_the_folder_has_the_winners_weights_and_no_pickle(store, tmp_path, monkeypatch):
    """Of folds the best one's; and nothing of the working folder's."""
    for name in folders.STRAYS:
        (tmp_path / name).write_text("[project]\nname = 'mine'\n")
    monkeypatch.chdir(tmp_path)
    study = studied(store, folds=3)
    registered(study)
    (folder,) = store.artifacts.glob("models/*/artifacts")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {"", ".py", ".md", ".txt", ".json", ".yaml", ".safetensors"}
    assert {path.name for path in files if path.suffix == ""} == {"MLmodel"}
    assert not [path for path in files if path.read_bytes()[:1] == b"\x80"]
    assert not [path for path in files if path.name in folders.STRAYS or "__pycache__" in path.parts]
    weights = folder / "data" / "winner" / "model.safetensors"
    assert crowned(store).tags["weights.sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    folds = Checkpoints(store, "small").place(SEARCH, 0).load(BEST)["folds"]
    best = max(range(3), key=lambda fold: folds[fold]["score"])
    loaded = Exported.load(weights.parent).network.state_dict()
    assert all(loaded[name].equal(tensor) for name, tensor in folds[best]["weights"].items())
    written = (folder / "MLmodel").read_text()
    assert "loader_module: trainables.exported.served" in written
    model = client_of(store).search_logged_models(["1"])[0]
    assert f"model_id: {model.model_id}" in written
    assert f"run_id: {crowned(store).run_id}" in written
    shown = json.loads((folder / "serving_input_example.json").read_text())["dataframe_split"]["data"][0][0]
    assert base64.decodebytes(shown.encode()).startswith(b"\x89PNG")


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_the_example_is_a_picture_of_the_mean_colour(channels):
    description = described(channels=channels, window=None)
    wanted = description.input.preprocessing
    pixels, facts = decode(example(description), wanted)
    assert pixels is not None, facts
    assert pixels.shape == (wanted.side, wanted.side, channels)
    assert np.unique(pixels).tolist() == [round(0.4 * 255)]


def test_versions_are_those_of_the_registry_and_not_of_a_build(monkeypatch):
    monkeypatch.setattr(folders, "version", lambda name: "2.15.0+cpu")
    assert "torch==2.15.0" in requirements()
