"""What MLflow is given of a network: a table for a table, and no picture costs another its answer."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
import torch

from spaces import InputError
from tests.trainables.data.pictures import encoded, scene
from trainables.exported import Description, Exported, Input, Source
from trainables.exported.folder import write_network
from trainables.exported.served import _load_pyfunc
from trainables.models.network import make_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network that has learnt nothing, of three classes."""
    folder = tmp_path_factory.mktemp("model")
    shown = Input(
        size=32, channels=3, crop_pct=0.875, fit="crop", interpolation="bicubic", mean=(0.4,) * 3, std=(0.2,) * 3
    )  # fmt: skip
    description = Description(
        model="glyphs", architecture="test_resnet", classes=3, labels=("ant", "bee", "cow"), temperature=1.5,
        input=shown, source=Source(study="some", trial=3, version="0.1.0"),
    )  # fmt: skip
    torch.manual_seed(3)
    network = make_network(description.backbone, None, classes=3, channels=3)
    with torch.no_grad():
        network.fc.weight.mul_(5)
    write_network(folder, description, network)
    return folder


def test_a_table_for_a_table(folder):
    pictures = [encoded(scene(1)), b"no image", bytearray(encoded(scene(2), "JPEG")), b"", encoded(scene(3))]
    table = pandas.DataFrame({"image": pictures, "name": list("abcde")}, index=[5, 3, 9, 4, 7])
    said = _load_pyfunc(str(folder)).predict(table)
    assert list(said.columns) == ["label", "probability", "probabilities", "reason"]
    assert list(said.index) == [5, 3, 9, 4, 7]
    expected = list(Exported.load(folder).predict([pictures[0], bytes(pictures[2]), pictures[4]]))
    for row, one in zip(said.loc[[5, 9, 7]].itertuples(), expected, strict=True):
        assert row.probabilities == list(one.probabilities)
        assert (row.label, row.probability) == one.best()[0]
        assert row.label == ("ant", "bee", "cow")[int(np.argmax(row.probabilities))]
        assert row.reason == ""
    broken = said.loc[[3, 4]]
    assert broken.drop(columns="reason").to_dict("records") == 2 * [
        {"label": "", "probability": 0.0, "probabilities": []}
    ]
    assert list(broken["reason"]) == ["no image format that is known", "the file is empty"]
    assert list(table.columns) == ["image", "name"]  # the caller's stays as it was


def test_a_table_without_rows(folder):
    said = _load_pyfunc(str(folder)).predict(pandas.DataFrame({"image": pandas.Series([], dtype=object)}))
    assert list(said.columns) == ["label", "probability", "probabilities", "reason"]
    assert len(said) == 0


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"picture": [b"x"], "n": [1]}, "must have the column 'image', but has picture, n"),
        ({}, "must have the column 'image', but has none"),
        ({"image": [b"", "a.jpg"]}, "must hold the bytes of a picture's file in each row, but one is a str"),
        (
            {"image": [b"", None]},
            "must hold the bytes of a picture's file in each row, but one is a NoneType",
        ),
    ],
)
def test_what_is_no_table_of_pictures_is_refused(folder, table, said):
    with pytest.raises(InputError, match=said):
        _load_pyfunc(str(folder)).predict(pandas.DataFrame(table))


def test_code_of_ones_own_is_imported_from_where_the_model_is_loaded(folder, tmp_path):
    text = (folder / "model.json").read_text().replace('"test_resnet"', '"nowhere_to_be_found:net"')
    (tmp_path / "model.json").write_text(text)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match="nowhere_to_be_found"):
        _load_pyfunc(str(tmp_path))
    (tmp_path / "model.json").write_text(text.replace("nowhere_to_be_found:net", "timm.models:test_resnet"))
    served = _load_pyfunc(str(tmp_path))
    picture = encoded(scene(1))
    table = pandas.DataFrame({"image": [picture]})
    assert served.predict(table).equals(_load_pyfunc(str(folder)).predict(table))
