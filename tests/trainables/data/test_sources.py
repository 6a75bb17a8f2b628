"""Each kind of source lists what it has and gives the images' bytes; slips are told in a sentence."""

from __future__ import annotations

import gzip
import json
import os
import struct
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from spaces import InputError
from tests.trainables.data.pictures import SIDE, encoded, scene, tinted, write, write_classes
from trainables.data import Arrays, Source, load_dataset
from trainables.data.listing import SPLITS, UNASSIGNED, Listing
from trainables.data.naming import absolute, find_dataset
from trainables.data.preprocessing import Preprocessing
from trainables.data.reading import Reading, read_dataset
from trainables.data.sources.find import find_source
from trainables.data.sources.shapes import CLASSES, Shapes

READING = Reading(Preprocessing(size=SIDE, crop_pct=1.0), duplicates="as_given")


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))


def listed(name):
    source = find_source(str(name))
    assert source is not None
    listing = Listing.of(source.samples(), source.classes())
    return source, listing


def counted(listing):
    """(class, split) → images."""
    names = (*SPLITS, None)
    return Counter(
        (listing.classes[label], names[split])
        for label, split in zip(listing.labels.tolist(), listing.splits.tolist(), strict=True)
    )


# -- folders --------------------------------------------------------------------------------------------


def test_a_folder_of_class_folders(tmp_path):
    root = write_classes(tmp_path / "photos", classes=2, images=3)
    write(root / "class_0" / "deeper" / "more.PNG", encoded(scene(1)))
    write(root / "class_0" / "notes.txt", b"not an image")
    write(root / "class_0" / ".hidden.png", encoded(scene(2)))
    write(root / ".thumbnails" / "x.png", encoded(scene(2)))
    write(root / "__MACOSX" / "x.png", encoded(scene(2)))
    write(root / "loose.png", encoded(scene(2)))
    source, listing = listed(root)
    assert listing.keys[:4] == (
        "class_0/00.png",
        "class_0/01.png",
        "class_0/02.png",
        "class_0/deeper/more.PNG",
    )
    assert counted(listing) == {("class_0", None): 4, ("class_1", None): 3}
    assert source.read("class_1/00.png") == (root / "class_1" / "00.png").read_bytes()


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("training", "validation", "Testing"), ("train", "dev")]
)
def test_a_folder_with_splits_above_its_classes(tmp_path, names):
    for number, name in enumerate(names):
        write_classes(tmp_path / name, classes=2, images=number + 1)
    _, listing = listed(tmp_path)
    expected = {(f"class_{c}", SPLITS[n]): n + 1 for c in range(2) for n in range(len(names))}
    assert counted(listing) == expected


@pytest.mark.parametrize("names", [("test", "other"), ("train", "bus"), ("val", "test")])
def test_classes_that_are_called_like_splits_are_classes(tmp_path, names):
    for name in names:
        write(tmp_path / name / "1.png", encoded(scene(1)))
    _, listing = listed(tmp_path)
    assert listing.classes == tuple(sorted(names))
    assert (listing.splits == UNASSIGNED).all()


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    for name in ("10", "9", "1"):
        write(tmp_path / name / "1.png", encoded(scene(1)))
    assert listed(tmp_path)[1].classes == ("1", "9", "10")


def test_links_are_followed_and_a_circle_of_them_ends(tmp_path):
    root = write_classes(tmp_path / "photos", classes=2, images=2)
    os.symlink(root / "class_0", root / "class_0" / "again")
    os.symlink(root / "class_1", root / "linked")
    assert counted(listed(root)[1]) == {("class_0", None): 2, ("class_1", None): 2, ("linked", None): 2}


@pytest.mark.parametrize(("build", "says"), [
    (lambda root: root.mkdir(), "no images in it"),
    (lambda root: write(root / "1.png", encoded(scene(1))), "lie in no folder of a class"),
    (lambda root: write(root / "cats" / "notes.txt", b""), "no images in it"),
])  # fmt: skip
def test_a_folder_without_classes_says_what_it_should_hold(tmp_path, build, says):
    root = tmp_path / "photos"
    build(root)
    with pytest.raises(InputError, match=says):
        load_dataset(str(root), 0, READING)


def test_names_that_are_no_text_are_names(tmp_path):
    folder = os.fsencode(tmp_path / "photos" / "cats")
    os.makedirs(folder)
    with open(folder + b"/\xff\xfe.png", "wb") as file:
        file.write(encoded(scene(1)))
    write(tmp_path / "photos" / "dogs" / "1.png", encoded(scene(2)))
    source, listing = listed(tmp_path / "photos")
    assert len(listing) == 2
    assert source.read(listing.keys[0]) == encoded(scene(1))


# -- tables ---------------------------------------------------------------------------------------------


TABLE = [
    ("a.png", "cat", "train", "p1"),
    ("b.png", "dog", "valid", ""),
    ("c.png", "cat", "", "p1"),
]


def write_table(path, names=("path", "label", "split", "group")):
    rows = [dict(zip(names, row, strict=True)) for row in TABLE]
    if path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        lines = [mark.join(names), *(mark.join(row.values()) for row in rows), ""]
        path.write_text("\ufeff" + "\n".join(lines), "utf-8")
    for number, row in enumerate(TABLE):
        write(path.parent / row[0], encoded(scene(number)))
    return path


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".parquet"])
@pytest.mark.parametrize(
    "names", [("path", "label", "split", "group"), ("Filename", "CLASS", "subset", "patient_id")]
)
def test_a_table_of_paths_and_labels(tmp_path, kind, names):
    source, listing = listed(write_table(tmp_path / f"table{kind}", names))
    assert listing.keys == ("a.png", "b.png", "c.png")
    assert counted(listing) == {("cat", "train"): 1, ("dog", "val"): 1, ("cat", None): 1}
    assert listing.groups.tolist() == [0, UNASSIGNED, 0]
    assert source.read("b.png") == encoded(scene(1))


@pytest.mark.parametrize(("text", "says"), [
    ("path,name\na.png,cat\n", "must have a column 'label', but it has path, name"),
    ("path,label\na.png\n", "line 2: each row must have 2 values, but has 1"),
    ("path,label\na.png,cat\n,dog\n", "row 3: each row must have a path and a label"),
    ("path,label,split\na.png,cat,middle\n", "row 2: a split must be train, val or test, but got 'middle'"),
    ("path,label\na.png,cat\na.png,dog\n", "'a.png' is there twice"),
    ("", "must have a column 'path'"),
])  # fmt: skip
def test_a_table_that_is_none_names_the_row(tmp_path, text, says):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        listed(path)


def test_a_parquet_file_that_is_none_and_labels_that_are_numbers(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "table.parquet"
    path.write_bytes(b"PAR1 or not")
    with pytest.raises(InputError, match="must be a table"):
        listed(path)
    parquet.write_table(pa.table({"image": ["a.png", "b.png"], "label": [10.0, 9.0]}), path)
    assert listed(path)[1].classes == ("9", "10")


# -- arrays ---------------------------------------------------------------------------------------------


def test_arrays_from_python_and_from_a_file_are_the_same_data_set(tmp_path):
    pixels = np.stack([np.asarray(tinted(n % 2, 2, n)) for n in range(24)])
    labels = np.arange(24) % 2
    np.savez(tmp_path / "set.npz", images=pixels, labels=labels, classes=np.asarray(["red", "green"]))
    mine = read_dataset("mine", Arrays(pixels, labels, classes=["red", "green"]), READING, seed=3)
    theirs = load_dataset(str(tmp_path / "set.npz"), 3, READING)
    assert mine.classes == theirs.classes == ("red", "green")
    for one, other in ((mine.train, theirs.train), (mine.val, theirs.val), (mine.test, theirs.test)):
        assert np.array_equal(one.labels, other.labels)
        assert np.array_equal(one.pixels[one.rows], other.pixels[other.rows])
        for row, label in zip(one.rows, one.labels, strict=True):
            assert labels[row] == label
    assert np.array_equal(mine.train.pixels, pixels)


def test_arrays_with_splits_as_medmnist_has_them(tmp_path):
    parts = {}
    for split, count in (("train", 8), ("val", 4), ("test", 6)):
        parts[f"{split}_images"] = np.stack([np.asarray(scene(n).convert("L")) for n in range(count)])
        parts[f"{split}_labels"] = (np.arange(count) % 2)[:, None]
    np.savez(tmp_path / "med.npz", **parts)
    _, listing = listed(tmp_path / "med.npz")
    assert Counter(listing.splits.tolist()) == {0: 8, 1: 4, 2: 6}


@pytest.mark.parametrize(("arrays", "says"), [
    ({"images": np.zeros((4, 8, 8))}, "must have an array 'labels'"),
    ({"images": np.zeros((4, 8)), "labels": np.arange(4)}, r"\[N, H, W\]"),
    ({"images": np.zeros((4, 8, 8)), "labels": np.arange(3)}, "one value an image"),
    ({"images": np.zeros((2, 8, 8)), "labels": np.asarray(["a", "z"]), "classes": np.asarray(["a", "b"])}, "'z'"),
    ({"images": np.asarray([{}]), "labels": np.arange(1)}, "readable .npz"),
])  # fmt: skip
def test_arrays_that_do_not_fit(tmp_path, arrays, says):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(InputError, match=says):
        listed(tmp_path / "set.npz")


# -- shapes ---------------------------------------------------------------------------------------------


def test_shapes_are_any_number_always_the_same_and_none_like_another():
    source, listing = listed("shapes:64")
    assert len(listing) == 64
    assert listing.classes == CLASSES
    assert set(np.bincount(listing.labels)) == {8}
    drawn = [np.asarray(source.read(key)) for key in listing.keys]
    assert all(
        np.array_equal(np.asarray(Shapes(64).read(key)), one)
        for key, one in zip(listing.keys, drawn, strict=True)
    )
    assert len({one.tobytes() for one in drawn}) == 64
    with pytest.raises(InputError, match="at least 32 images"):
        find_source("shapes:7")
    with pytest.raises(InputError, match="'many'"):
        find_source("shapes:many")


# -- a user's own ---------------------------------------------------------------------------------------


class Own(Source):
    """The smallest source there can be."""

    def __init__(self, images: str = "12") -> None:
        self.images = int(images)

    def samples(self):
        from trainables.data.listing import Sample

        return (Sample(str(n), "even" if n % 2 == 0 else "odd") for n in range(self.images))

    def read(self, key):
        return tinted(int(key) % 2, 2, int(key))


class Broken(Source):
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no key")

    def samples(self):
        """Never."""

    def read(self, key):
        """Never."""


def test_a_source_of_ones_own_is_a_small_class():
    dataset = load_dataset(f"{__name__}:Own:20", 0, READING)
    assert dataset.classes == ("even", "odd")
    assert len(dataset.train) + len(dataset.val) + len(dataset.test) == 20
    picture = dataset.train.pixels[dataset.train.rows[0]]
    assert np.array_equal(
        picture, np.asarray(tinted(int(dataset.train.labels[0]), 2, int(dataset.train.rows[0])))
    )
    assert len(load_dataset(f"{__name__}:Own", 0, READING).train) == 8
    with pytest.raises(InputError, match="RuntimeError: no key"):
        load_dataset(f"{__name__}:Broken", 0, READING)


# -- Hugging Face ---------------------------------------------------------------------------------------


def hub_folder(path, splits=("train", "validation", "test"), images=8):
    import datasets

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["x", "y"])})
    made = {}
    for number, split in enumerate(splits):
        rows = {
            "image": [tinted(n % 2, 2, 100 * number + n) for n in range(images)],
            "label": [n % 2 for n in range(images)],
        }
        made[split] = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict(made).save_to_disk(path)
    return path


def test_a_folder_that_datasets_saved(tmp_path):
    dataset = load_dataset(str(hub_folder(tmp_path / "saved")), 0, READING)
    assert dataset.classes == ("x", "y")
    assert [len(part) for part in (dataset.train, dataset.val, dataset.test)] == [8, 8, 8]
    assert np.array_equal(dataset.val.pixels[3], np.asarray(tinted(1, 2, 103)))


def test_a_folder_of_parquet_files(tmp_path):
    from datasets import load_from_disk

    load_from_disk(str(hub_folder(tmp_path / "saved", splits=("train",), images=20)))["train"].to_parquet(
        str(tmp_path / "plain" / "data" / "train-00000-of-00001.parquet")
    )
    dataset = load_dataset(str(tmp_path / "plain"), 0, READING)
    assert len(dataset.train) + len(dataset.val) + len(dataset.test) == 20
    assert dataset.classes == ("x", "y")


def test_a_folder_that_datasets_saved_with_columns_that_leave_doubt(tmp_path):
    import datasets

    both = {"left": [scene(1)], "right": [scene(2)], "label": [0]}
    features = datasets.Features(
        {"left": datasets.Image(), "right": datasets.Image(), "label": datasets.ClassLabel(names=["x"])}
    )
    datasets.DatasetDict({"train": datasets.Dataset.from_dict(both, features=features)}).save_to_disk(
        tmp_path / "two"
    )
    with pytest.raises(InputError, match="one column of images, but has left, right"):
        find_source(str(tmp_path / "two"))


def test_an_id_of_the_hub_without_network_is_one_sentence(monkeypatch):
    import datasets
    import huggingface_hub

    for library in (datasets.config, huggingface_hub.constants):
        monkeypatch.setattr(library, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="'nobody/nothing' must be a data set on the hub"):
        find_source("hf:nobody/nothing")


# -- torchvision ----------------------------------------------------------------------------------------


def write_mnist(root, images=20):
    """MNIST's files, with few images in them."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        pixels = np.stack([np.asarray(scene(n, 28).convert("L")) for n in range(images)])
        header = struct.pack(">IIII", 0x803, images, 28, 28)
        labels = struct.pack(">II", 0x801, images) + bytes(n % 10 for n in range(images))
        for name, data in (("images-idx3", header + pixels.tobytes()), ("labels-idx1", labels)):
            (folder / f"{part}-{name}-ubyte").write_bytes(data)
            (folder / f"{part}-{name}-ubyte.gz").write_bytes(gzip.compress(data))


def test_a_data_set_of_torchvision_by_name(tmp_path):
    write_mnist(tmp_path)
    source, listing = listed(f"torchvision:mnist:{tmp_path}")
    assert Counter(listing.splits.tolist()) == {0: 20, 2: 20}
    assert listing.classes[3] == "3 - three"
    assert np.array_equal(np.asarray(source.read("train/5")), np.asarray(scene(5, 28).convert("L")))


def test_torchvision_without_the_data_or_the_name(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="close: CIFAR10"):
        find_source("torchvision:cifar11")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody there
    with pytest.raises(InputError, match="must be fetched or lie in"):
        find_source(f"torchvision:SVHN:{tmp_path}")


# -- names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digitz", "", "photos/of/cats", "hf:", "torchvision:", "a b:c"])
def test_a_name_of_nothing_says_what_there_is(name):
    with pytest.raises(InputError, match=r"data must be (one of digits|named)"):
        find_dataset(name)
    with pytest.raises(InputError):
        load_dataset(name)


def test_a_slip_that_may_be_an_id_of_the_hub_says_how_to_name_one():
    with pytest.raises(InputError, match="hf:uoft-cs/cifar10"):
        find_dataset("uoft-cs/cifar10")


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps({}))
    with pytest.raises(InputError, match=r"ends in \.csv"):
        find_source(str(path))


def test_paths_are_made_absolute_and_names_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "digits").mkdir()
    assert absolute("photos") == str(tmp_path / "photos")
    assert absolute("digits") == "digits"
    assert absolute("shapes:100") == "shapes:100"


def test_an_image_of_the_size_of_a_bomb_does_not_warn(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    write_classes(tmp_path / "photos", classes=2, images=6, side=40)  # 1,600 pixels: a warning, no error
    assert len(load_dataset(str(tmp_path / "photos"), 0, READING).train) == 8
