"""What a folder says of pictures is what a study's validation says of them, and nothing in a folder is run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from spaces import InputError
from tests.conftest import QUIET_CPU, quadrants, small_dataset
from tests.trainables.data.pictures import encoded, rotated, scene, sixteen_bits, tinted, write
from trainables.config import Fixed
from trainables.data import load_dataset
from trainables.data.batches import Split
from trainables.evaluation import predict
from trainables.exported import Description, Exported, Input, Source
from trainables.exported.folder import MODEL, WEIGHTS, write_network
from trainables.material import prepare, reading_of
from trainables.models.network import make_network
from trainables.precision import Precision

TEMPERATURE = 1.7


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))


def settings(**changes) -> Fixed:
    return Fixed(**{"model": "test_resnet", "pretrained": False, **QUIET_CPU, **changes})


def exported(folder, dataset, fixed):
    """Writes a network that has learnt nothing; returns its probabilities of the validation split."""
    material = prepare(dataset, fixed)
    torch.manual_seed(1)
    network = make_network(material.backbone, None, classes=len(material.classes), channels=material.channels)
    cpu = torch.device("cpu")
    judge = partial(predict, network, Split(material.val, cpu), material.normalise, Precision("fp32", cpu))
    with torch.no_grad():  # classes that the images differ in
        spread = judge()
        network.fc.weight.div_(spread.std(0)[:, None])
        network.fc.bias.sub_(spread.mean(0)).div_(spread.std(0))
    description = Description(
        model=material.backbone.name,
        architecture=material.backbone.architecture,
        model_args=dict(material.backbone.arguments),
        classes=len(material.classes),
        labels=material.classes,
        input=Input.of(dataset, material, fixed),
        temperature=TEMPERATURE,
        source=Source(study="some", trial=3, version="0.1.0"),
    )
    folder.mkdir()
    write_network(folder, description, network)
    return (judge() / TEMPERATURE).softmax(1).numpy()


def photographs(root):
    """JPEGs and PNGs, grey and in colour, lying and standing, of many sizes, one turned and one of 16 bits."""
    rng = np.random.default_rng(0)
    for label in range(3):
        for number in range(12):
            picture = tinted(label, 3, number, side=200)
            width, height = rng.integers(40, 200, 2).tolist()
            picture = picture.crop((0, 0, width, height))
            if number % 3 == 0:
                picture = picture.convert("L")
            kind = "JPEG" if number % 2 else "PNG"
            write(root / f"class_{label}" / f"{number:02}.{kind.lower()}", encoded(picture, kind))
    write(root / "class_0" / "turned.jpg", rotated(5))
    write(root / "class_1" / "deep.png", sixteen_bits(6))
    write(root / "class_2" / "huge.jpg", encoded(scene(7, 900), "JPEG"))
    return root


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels": 1, "fit": "pad"},
        {"fit": "squash", "crop_pct": 1.0, "interpolation": "bilinear"},
        {"crop_pct": 0.7, "image_size": 33},
    ],
    ids=["colour", "grey", "squashed", "odd"],
)
def test_files_are_seen_as_in_validation(tmp_path, changes):
    root = photographs(tmp_path / "photos")
    fixed = settings(**{"image_size": 32, "val_share": 0.4, "duplicates": "as_given", **changes})
    dataset = load_dataset(str(root), 0, reading_of(fixed))
    expected = exported(tmp_path / "model", dataset, fixed)
    rows = [line.split(",") for line in dataset.origin.table().splitlines()]
    paths = [root / row[0] for row in rows if row[2] == "val"]
    assert len(paths) == len(expected) > 10
    assert {path.suffix for path in paths} >= {".jpeg", ".png"}
    loaded = Exported.load(tmp_path / "model", device="cpu")
    said = list(loaded.predict(paths, batch=5))
    assert [one.name for one in said] == [str(path) for path in paths]
    np.testing.assert_allclose([one.probabilities for one in said], expected, atol=1e-5)
    assert expected.max(1).std() > 0.03  # they do differ
    # Bytes, and those that Pillow has opened, are the same pictures.
    again = loaded.predict([paths[0].read_bytes(), Image.open(paths[0])])
    for number, one in enumerate(again):
        assert one.name == str(number)
        np.testing.assert_allclose(one.probabilities, expected[0], atol=1e-5)


@pytest.mark.parametrize("size", [None, 24])
@pytest.mark.parametrize("crop_pct", [None, 0.8])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_arrays_are_seen_as_in_validation(tmp_path, channels, size, crop_pct):
    dataset = small_dataset(channels)
    fixed = settings(image_size=size, crop_pct=crop_pct)
    expected = exported(tmp_path / "model", dataset, fixed)
    pixels = dataset.val.pixels
    paths = [write(tmp_path / f"{row}.png", encoded(_picture(image))) for row, image in enumerate(pixels)]
    loaded = Exported.load(tmp_path / "model", device="cpu")
    np.testing.assert_allclose([one.probabilities for one in loaded.predict(paths)], expected, atol=1e-5)
    np.testing.assert_allclose([one.probabilities for one in loaded.predict(pixels)], expected, atol=1e-5)


def _picture(image):
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def test_arrays_that_are_not_square_are_squashed(tmp_path):
    def wide(seed):
        images = quadrants(16, 1, seed)
        return replace(images, pixels=np.repeat(images.pixels, 2, axis=2))

    dataset = replace(small_dataset(), train=wide(0), val=wide(1), test=wide(2))
    expected = exported(tmp_path / "model", dataset, settings())
    said = Exported.load(tmp_path / "model", device="cpu").predict(dataset.val.pixels)
    np.testing.assert_allclose([one.probabilities for one in said], expected, atol=0.02)


def test_images_that_cannot_be_read_leave_the_others(tmp_path):
    exported(tmp_path / "model", small_dataset(), settings())
    loaded = Exported.load(tmp_path / "model", device="cpu")
    good = write(tmp_path / "a.png", encoded(scene(1)))
    bad = write(tmp_path / "b.png", encoded(scene(2))[:900])
    said = list(loaded.predict([bad, good, tmp_path / "none.png", b"", good], batch=2))
    assert [bool(one.probabilities) for one in said] == [False, True, False, False, True]
    assert said[1].probabilities == pytest.approx(said[4].probabilities, abs=1e-6)
    assert "truncated" in said[0].reason
    assert said[2].reason == "No such file or directory"
    assert said[3].reason == "the file is empty"
    assert said[0].best() == []
    ranked = said[1].best(9)
    assert [share for _, share in ranked] == sorted(said[1].probabilities, reverse=True)
    assert sorted(label for label, _ in ranked) == ["0", "1", "2", "3"]
    assert sum(said[1].probabilities) == pytest.approx(1)
    assert list(loaded.predict([])) == []
    with pytest.raises(ValueError, match="batch must be at least 1, but got 0"):
        next(loaded.predict([good], batch=0))


def test_whoever_loads_a_network_keeps_their_random_numbers(tmp_path):
    exported(tmp_path / "model", small_dataset(), settings())
    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    Exported.load(tmp_path / "model", device="cpu")
    assert torch.equal(before, torch.random.get_rng_state())


# -- what is refused ------------------------------------------------------------------------------------


def put(folder, *path, value):
    """Change an entry of the description."""
    written = json.loads((folder / MODEL).read_text())
    entry = written
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    (folder / MODEL).write_text(json.dumps(written))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["format"], 2, "must be of format 1, which this version of finetune-search reads, but is of format 2"),
        (["architecture"], "resnet1", "`architecture` must be one of timm's or a 'package.module:function', but got"),
        (["architecture"], "../x", "`architecture` must be one of timm's"),
        (["architecture"], "resnet18", "must hold a network and its own weights, but: Error"),
        (["model_args"], {"checkpoint_path": "x.pth"}, "`model_args` must not hold 'checkpoint_path': nothing but"),
        (["model_args"], {"pretrained": True}, "`model_args` must not hold 'pretrained'"),
        (["model_args"], {"num_classes": 2}, "`model_args` must not hold 'num_classes': it follows from the rest"),
        (["model_args"], {"flavour": 2}, "model 'test_resnet' cannot take 'flavour'"),
        (["classes"], 3, "`labels` must name all 3 classes, but got 4"),
        (["temperature"], 0, "`temperature > 0` must hold"),
        (["temperature"], float("nan"), "temperature"),
        (["input", "mean"], [0.1, 0.2], "`mean` and `std` must have a value for each of 1 channels"),
        (["input", "window"], [2.0, 1.0], "`window` must go from a lower to a higher value"),
        (["input", "size"], 10**6, "`input.size <= 4096` must hold"),
        (["surprise"], 1, "there is no setting 'surprise'"),
    ],
)  # fmt: skip
def test_a_description_that_is_none(tmp_path, path, value, said):
    exported(tmp_path / "model", small_dataset(), settings())
    put(tmp_path / "model", *path, value=value)
    with pytest.raises(InputError) as refused:
        Exported.load(tmp_path / "model")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("file", "data", "said"),
    [
        (MODEL, b"{", "must be a description of a network in JSON, but: "),
        (MODEL, b"\xff", "must be a description of a network in JSON, but: "),
        (MODEL, b"[" * 10**5, "must be a description of a network in JSON, but: "),
        (MODEL, b"3", "must hold a JSON object, but holds a int"),
        (MODEL, None, "a model must be a folder that `best --export` wrote, but "),
        (WEIGHTS, None, "must be there, but"),
        (WEIGHTS, b"", "must be a file of weights, but: "),
        (WEIGHTS, b"\x80\x04pickle" * 9, "must be a file of weights, but: "),
    ],
)
def test_files_that_are_damaged(tmp_path, file, data, said):
    exported(tmp_path / "model", small_dataset(), settings())
    (tmp_path / "model" / file).unlink() if data is None else (tmp_path / "model" / file).write_bytes(data)
    with pytest.raises(InputError) as refused:
        Exported.load(tmp_path / "model")
    assert said in str(refused.value)


def test_code_runs_only_where_it_is_trusted(tmp_path):
    exported(tmp_path / "model", small_dataset(), settings())
    (tmp_path / "wicked.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"
        "import timm\ndef make(**arguments): return timm.create_model('test_resnet', **arguments)\n"
    )
    put(tmp_path / "model", "architecture", value="wicked:make")
    script = (
        "import sys; sys.path.insert(0, '.')\nfrom trainables.exported import Exported\n"
        "Exported.load('model', trust={trust})\nprint('loaded')"
    )

    def load(trust: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script.format(trust=trust)],
            cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)},
        )  # fmt: skip

    refused = load(False)
    assert (
        "the network of model is built by code, 'wicked:make', which is only run where it is trusted"
        in refused.stderr
    )
    assert not (tmp_path / "ran").exists()
    assert load(True).stdout == "loaded\n"
    assert (tmp_path / "ran").exists()


def test_weights_that_share_memory_are_written_each_for_itself(tmp_path):
    exported(tmp_path / "model", small_dataset(), settings())
    loaded = Exported.load(tmp_path / "model", device="cpu")
    tied = loaded.network
    tied.bn1.running_mean = tied.bn1.running_var
    (tmp_path / "again").mkdir()
    write_network(tmp_path / "again", loaded.description, tied)
    again = Exported.load(tmp_path / "again", device="cpu")
    assert torch.equal(again.network.bn1.running_mean, tied.bn1.running_var)
