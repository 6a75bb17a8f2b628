"""The lines of Python on a model's card give what this project gives, where only timm and safetensors are."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from PIL import Image

from search.export.snippet import snippet
from tests.trainables.data.pictures import encoded, scene, write
from trainables.exported import Description, Exported, Input, Source
from trainables.exported.folder import write_network
from trainables.models.network import make_network

SEEN = {"size": 32, "channels": 3, "crop_pct": 0.875, "fit": "crop", "interpolation": "bicubic"}


def described(**changes) -> Description:
    shown = {**SEEN, **changes}
    channels = shown["channels"]
    return Description(
        model="glyphs", architecture="test_resnet", classes=3, labels=("ant", "bee", "cow"), temperature=1.5,
        input=Input(**shown, mean=(0.4,) * channels, std=(0.2,) * channels),
        source=Source(study="some", trial=3, version="0.1.0"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels": 1, "fit": "squash", "crop_pct": 1.0, "interpolation": "bilinear"},
        {"fit": "pad", "size": 33, "interpolation": "lanczos"},
        {"channels": 1, "side": 28, "crop_pct": 1.0},
        {"side": 40, "crop_pct": 0.8},
        {"side": 30, "crop_pct": 0.7},
    ],
    ids=["crop", "squash", "pad", "resized", "cut", "both"],
)
def test_it_gives_what_predict_gives(tmp_path, changes):
    description = described(**changes)
    torch.manual_seed(3)
    network = make_network(description.backbone, None, classes=3, channels=description.input.channels)
    with torch.no_grad():
        network.fc.weight.mul_(5)
    write_network(tmp_path, description, network)
    exif = Image.Exif()
    exif[274] = 6
    picture = scene(8, 150).crop((0, 0, 150, 97))
    write(tmp_path / "image.jpg", encoded(picture, "JPEG", exif=exif))
    lines = snippet(description)
    assert lines is not None
    script = f"{lines}\nimport sys\nprint(sorted(set(sys.modules) & {{'trainables', 'search', 'spaces'}}))\n"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.stderr == ""
    said, loaded = ran.stdout.splitlines()
    assert loaded == "[]"
    (one,) = Exported.load(tmp_path, device="cpu").predict([tmp_path / "image.jpg"])
    label, share = said.split()
    assert one.best() == [(label, pytest.approx(float(share), abs=1e-4))]


def test_pictures_that_take_more_than_a_few_lines_have_none():
    assert snippet(described(window=(0.0, 4095.0))) is None
    assert snippet(described(channels=5)) is None


def test_a_network_of_ones_own_is_imported():
    lines = snippet(described().model_copy(update={"architecture": "mine.nets:make"}))
    assert lines is not None
    assert "from mine.nets import make" in lines
    assert "network = make(**options)" in lines
    assert "timm" not in lines
