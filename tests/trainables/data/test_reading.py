"""From a source to a data set: what is left out and why, and what can never be learnt from."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from spaces import InputError
from tests.trainables.data.pictures import SIDE, encoded, scene, write, write_classes
from trainables.data import load_dataset
from trainables.data.preprocessing import Preprocessing
from trainables.data.reading import Reading

READING = Reading(Preprocessing(size=SIDE, crop_pct=1.0))


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))


def splits_of(dataset) -> dict[str, str]:
    """Image → its split."""
    return {row["image"]: row["split"] for row in csv.DictReader(io.StringIO(dataset.origin.table()))}


def pieces() -> list[Image.Image]:
    """Thirty pieces of real photographs, 120 pixels wide."""
    return [
        Image.fromarray(whole[top : top + 120, left : left + 120])
        for whole in load_sample_images().images
        for top in (0, 130, 260)
        for left in (0, 125, 250, 375, 500)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_near_duplicates_are_on_one_side_of_every_split(tmp_path, seed):
    for number, piece in enumerate(pieces()):
        name = f"{'ab'[number % 2]}/{number:02}"
        write(tmp_path / "photos" / f"{name}.png", encoded(piece))
        write(tmp_path / "photos" / f"{name}_small.jpg", encoded(piece.resize((80, 80)), "JPEG", quality=70))
    splits = splits_of(load_dataset(str(tmp_path / "photos"), seed, READING))
    assert len(splits) == 60
    assert all(
        splits[name] == splits[name.replace(".png", "_small.jpg")] for name in splits if name.endswith(".png")
    )
    assert set(splits.values()) == {"train", "val", "test"}
    apart = load_dataset(
        str(tmp_path / "photos"), seed, Reading(READING.preprocessing, duplicates="as_given")
    )
    loose = splits_of(apart)
    assert any(
        loose[name] != loose[name.replace(".png", "_small.jpg")] for name in loose if name.endswith(".png")
    )


def test_copies_that_a_source_has_put_on_both_sides_are_not_learnt_from(tmp_path):
    root = tmp_path / "photos"
    for number, piece in enumerate(pieces()):
        split = ("train", "train", "val", "test")[number % 4]
        write(root / split / "ab"[number // 4 % 2] / f"{number:02}.png", encoded(piece))
    tested = sorted((root / "test").rglob("*.png"))[0]
    write(root / "train" / "a" / "leak.jpg", encoded(Image.open(tested), "JPEG", quality=80))
    dataset = load_dataset(str(root), 0, READING)
    splits = splits_of(dataset)
    assert splits["train/a/leak.jpg"] == "left out"
    assert splits[str(tested.relative_to(root))] == "test"
    assert dataset.remarks == (
        "1 image is left out, since a split that judges what is learnt from them has a copy "
        "(duplicates=as_given keeps them)",
    )
    given = load_dataset(str(root), 0, Reading(READING.preprocessing, duplicates="as_given"))
    assert splits_of(given)["train/a/leak.jpg"] == "train"
    assert given.fingerprint() != dataset.fingerprint()


def test_a_fingerprint_is_of_contents_labels_and_splits_and_not_of_how_they_are_decoded(tmp_path):
    root = write_classes(tmp_path / "photos", classes=2, images=12)
    base = load_dataset(str(root), 0, READING).fingerprint()
    assert load_dataset(str(root), 0, Reading(Preprocessing(size=32, fit="pad"))).fingerprint() == base
    assert load_dataset(str(root), 1, READING).fingerprint() != base
    (root / "class_0" / "00.png").rename(root / "class_1" / "moved.png")
    assert load_dataset(str(root), 0, READING).fingerprint() != base


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda root: write_classes(root, classes=1), "two classes or more, but has one: 'class_0'"),
        (
            lambda root: [write(root / c / "1.png", b"gone") for c in "ab"],
            "of 2 none can; the first, 'a/1.png'",
        ),
        (
            lambda root: write_classes(root, classes=2, images=1),
            "each split of data .* must have images, but val",
        ),
    ],
)
def test_what_cannot_be_learnt_from_says_why(tmp_path, build, says):
    build(tmp_path / "photos")
    with pytest.raises(InputError, match=says):
        load_dataset(str(tmp_path / "photos"), 0, READING)


def test_a_group_that_is_everything_leaves_nothing_to_judge_by(tmp_path):
    rows = ["path,label,group"]
    for number in range(12):
        write(tmp_path / f"{number}.png", encoded(scene(number)))
        rows.append(f"{number}.png,{'ab'[number % 2]},one")
    write(tmp_path / "table.csv", "\n".join(rows).encode())
    with pytest.raises(InputError, match="groups and near-duplicates stay together"):
        load_dataset(str(tmp_path / "table.csv"), 0, READING)


def test_few_images_are_passed_over_several_times_an_epoch(tmp_path):
    few = load_dataset(str(write_classes(tmp_path / "few", classes=2, images=20)), 0, READING)
    assert few.repeats == round(500 / len(few.train))
    assert np.array_equal(np.unique(few.train.labels), [0, 1])


def test_the_images_of_each_split_know_their_names(tmp_path):
    write_classes(tmp_path / "photos", classes=2)
    dataset = load_dataset(str(tmp_path / "photos"), 0, READING)
    splits = splits_of(dataset)
    for split, images in (("train", dataset.train), ("val", dataset.val), ("test", dataset.test)):
        names = dataset.origin.names(images)
        assert sorted(names) == sorted(name for name, where in splits.items() if where == split)
        rows = range(len(images)) if images.rows is None else images.rows.tolist()
        for name, label, row in zip(names, images.labels, rows, strict=True):
            assert name.startswith(dataset.classes[label])
            picture = np.asarray(Image.open(tmp_path / "photos" / name))
            assert np.array_equal(images.pixels[row], picture)
    copied = type(dataset.val)(dataset.val.pixels.copy(), dataset.val.labels)
    assert dataset.origin.names(copied) is None
