"""`finetune-search check` on real folders: every planted fault is found, named and counted; a clean set has none."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageFilter

from search.check import check_data
from tests.trainables.data.pictures import (
    animation,
    encoded,
    rotated,
    scene,
    sixteen_bits,
    tinted,
    write,
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def weights():
    """Those of the built-in network, made once for all tests."""
    from trainables.models.glyphs import ensure_weights

    return ensure_weights()


CLASSES = ("cat", "dog", "owl")


def clean(root, images=(("train", 30), ("val", 8), ("test", 8))):
    """Scenes of 96 pixels, their hue telling the class; no two alike."""
    number = 0
    for split, count in images:
        for label, name in enumerate(CLASSES):
            for _ in range(count):
                number += 1
                write(
                    root / split / name / f"{number:03}.jpg",
                    encoded(tinted(label, 3, number, 96), "JPEG", quality=92),
                )
    return root


def found(report):
    return {finding.kind: finding for finding in report.findings}


def named(report, finding):
    """Keys of the images of each group."""
    return [sorted(report.listing.keys[mention.row] for mention in group) for group in finding.groups]


def test_a_clean_set_gives_no_finding(tmp_path):
    report = check_data(str(clean(tmp_path / "photos"))).report
    assert report.findings == ()
    assert not report.meaningless
    assert report.readable == len(report.listing) == 138
    measures = report.to_dict()["measures"]
    assert measures["side"] == (96, 96, 96)
    assert measures["aspect"] == (1, 1, 1)
    pixels = (
        np.stack([np.asarray(Image.open(path)) for path in sorted((tmp_path / "photos").rglob("*.jpg"))])
        / 255
    )
    assert measures["mean"] == pytest.approx(pixels.mean(axis=(0, 1, 2)), abs=0.01)
    assert measures["deviation"] == pytest.approx(pixels.std(axis=(0, 1, 2)), abs=0.01)


def test_every_fault_of_files_is_found_named_and_counted(tmp_path):
    root = clean(tmp_path / "photos")
    write(root / "train/cat/empty.jpg", b"")
    write(root / "train/dog/text.png", b"<html>404</html>")
    write(root / "val/owl/short.jpg", encoded(scene(501, 96), "JPEG")[:1500])
    write(root / "train/cat/grey.png", encoded(tinted(0, 3, 502, 96).convert("L")))
    write(root / "train/cat/glass.png", encoded(tinted(0, 3, 503, 96).convert("RGBA")))
    write(
        root / "train/dog/palette.png",
        encoded(tinted(1, 3, 504, 96).convert("P", palette=Image.Palette.ADAPTIVE)),
    )
    write(root / "train/dog/print.tif", encoded(tinted(1, 3, 505, 96).convert("CMYK"), "TIFF"))
    write(root / "train/owl/xray.png", sixteen_bits(506, top=4095))
    write(root / "train/owl/film.gif", animation(507, 508, 509))
    write(root / "train/owl/turned.jpg", rotated(510))
    report = check_data(str(root)).report
    kinds = found(report)
    assert report.readable == len(report.listing) - 3
    assert named(report, kinds["unreadable"]) == [["train/cat/empty.jpg"], ["train/dog/text.png"]]
    assert kinds["unreadable"].groups[0][0].note == "the file is empty"
    assert named(report, kinds["truncated"]) == [["val/owl/short.jpg"]]
    mixed = kinds["mixed_kinds"]
    assert mixed.count == 6
    assert dict(mixed.figures) == {"16-bit": 1, "CMYK": 1, "grey": 1, "palette": 2, "see-through": 1}
    assert ["train/dog/print.tif"] in named(report, mixed)
    assert named(report, kinds["dark_16_bit"]) == [["train/owl/xray.png"]]
    assert "window=[0,4095]" in kinds["dark_16_bit"].advice
    assert named(report, kinds["animated"]) == [["train/owl/film.gif"]]
    assert named(report, kinds["rotated"]) == [["train/owl/turned.jpg"]]
    windowed = check_data(str(root), {"window": (0, 4095)}).report
    assert windowed.readable < report.readable or "dark_16_bit" in found(windowed)


def test_every_kind_of_copy_is_found_named_and_counted(tmp_path):
    root = clean(tmp_path / "photos")
    write(root / "train/cat/again.jpg", (root / "train/cat/001.jpg").read_bytes())
    small = tinted(0, 3, 2, 96).resize((64, 64), Image.Resampling.LANCZOS)
    write(root / "train/cat/smaller.png", encoded(small))
    write(root / "train/dog/claimed.jpg", encoded(tinted(0, 3, 3, 96), "JPEG", quality=60))
    leaked = sorted((root / "test/owl").glob("*.jpg"))[0]
    write(root / "train/owl/leaked.webp", encoded(Image.open(leaked), "WEBP", quality=85))
    report = check_data(str(root)).report
    kinds = found(report)
    assert named(report, kinds["exact_duplicates"]) == [["train/cat/001.jpg", "train/cat/again.jpg"]]
    near = named(report, kinds["near_duplicates"])
    assert ["train/cat/002.jpg", "train/cat/smaller.png"] in near
    assert kinds["near_duplicates"].count == len(near) == 3
    assert named(report, kinds["conflicting_labels"]) == [["train/cat/003.jpg", "train/dog/claimed.jpg"]]
    leak = [f"test/owl/{leaked.name}", "train/owl/leaked.webp"]
    assert named(report, kinds["leakage"]) == [leak]
    assert dict(kinds["leakage"].figures) == {"share_of_test": round(1 / 24, 4)}
    assert kinds["leakage"].severity.name == "WARNING"
    assert set(kinds) - {"odd_sharpness"} == {
        "exact_duplicates",
        "near_duplicates",
        "conflicting_labels",
        "leakage",
    }  # fmt: skip  (what was made smaller has lost its grain)


def test_a_test_split_that_leaks_by_half_is_meaningless(tmp_path):
    root = clean(tmp_path / "photos")
    for path in sorted((root / "test").rglob("*.jpg"))[:14]:
        write(root / "train" / path.parent.name / f"copy_{path.name}", path.read_bytes())
    report = check_data(str(root)).report
    assert found(report)["leakage"].severity.name == "BLOCKER"
    assert report.meaningless


def test_classes_that_cannot_be_learnt_are_found_named_and_counted(tmp_path):
    root = clean(tmp_path / "photos")
    for number in range(3):
        write(
            root / "train/elk" / f"{number}.jpg", encoded(tinted(0, 3, 600 + number, 96), "JPEG", quality=92)
        )
    report = check_data(str(root)).report
    kinds = found(report)
    assert dict(kinds["small_classes"].figures) == {"elk": 3}
    assert dict(kinds["class_imbalance"].figures) == {"ratio": 10.0, "largest": "cat", "smallest": "elk"}
    assert (
        dict(kinds["missing_in_val"].figures)
        == dict(kinds["missing_in_test"].figures)
        == {"classes": ["elk"]}
    )


def test_a_group_on_two_sides_is_found(tmp_path):
    root = clean(tmp_path / "photos")
    rows = ["path,label,split,group"]
    for path in sorted(root.rglob("*.jpg")):
        split, label, name = path.relative_to(root).parts
        group = "burst" if name in ("001.jpg", "093.jpg") else ""
        rows.append(f"{split}/{label}/{name},{label},{split},{group}")
    write(root / "table.csv", "\n".join(rows).encode())
    report = check_data(str(root / "table.csv")).report
    groups = found(report)["group_leakage"]
    assert named(report, groups) == [["train/cat/001.jpg", "val/cat/093.jpg"]]


def test_every_kind_of_outlier_is_found_named_and_counted(tmp_path):
    root = clean(tmp_path / "photos")

    def spoilt(name, picture):
        write(root / "train/cat" / f"{name}.png", encoded(picture))

    one = np.asarray(tinted(0, 3, 700, 96), float)
    spoilt("dark", Image.fromarray((one * 0.05).astype(np.uint8)))
    spoilt("bright", Image.fromarray((230 + one * 0.1).clip(0, 255).astype(np.uint8)))
    spoilt("blurred", tinted(0, 3, 701, 96).filter(ImageFilter.GaussianBlur(6)))
    spoilt("noise", Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)))
    spoilt("blank", Image.new("RGB", (96, 96), (90, 120, 90)))
    spoilt("icon", tinted(0, 3, 702, 16))
    spoilt("scan", tinted(0, 3, 703, 900))
    spoilt("banner", tinted(0, 3, 704, 400).crop((0, 0, 400, 80)))
    report = check_data(str(root)).report
    kinds = found(report)

    def has(kind, name):
        return [f"train/cat/{name}.png"] in named(report, kinds[kind])

    assert has("odd_brightness", "dark")
    assert has("odd_brightness", "bright")
    assert has("odd_sharpness", "blurred")
    assert has("odd_sharpness", "noise")
    assert has("odd_contrast", "dark") or has("odd_contrast", "bright")
    assert named(report, kinds["blank"]) == [["train/cat/blank.png"]]
    assert named(report, kinds["small_images"]) == [["train/cat/icon.png"]]
    assert named(report, kinds["large_images"]) == [["train/cat/scan.png"]]
    assert named(report, kinds["extreme_aspect"]) == [["train/cat/banner.png"]]
    spoilt_ones = {"dark", "bright", "blurred", "noise", "blank", "icon", "scan", "banner"}
    for kind, finding in kinds.items():
        for group in named(report, finding):
            assert {key.rpartition("/")[2].partition(".")[0] for key in group} <= spoilt_ones, kind


# -- the command ----------------------------------------------------------------------------------------


def test_the_command_says_it_writes_it_and_ends_with_two_when_training_is_meaningless(command, tmp_path):
    root = clean(tmp_path / "photos")
    write(root / "train/cat/<b>.jpg", b"")
    code, out, err = command(
        "check", str(root), "--json", str(tmp_path / "check.json"), "--html", str(tmp_path / "check.html")
    )
    assert (code, err) == (0, "")
    assert "139 images, 138 of them readable, 3 classes" in out.replace("\n", " ")
    assert "train/cat/<b>.jpg (the file is empty)" in out
    assert out.rstrip().splitlines()[-3] == "1 warning; training is possible."
    report = json.loads((tmp_path / "check.json").read_text())
    assert [finding["kind"] for finding in report["findings"]] == ["unreadable"]
    page = (tmp_path / "check.html").read_text()
    assert "&lt;b&gt;.jpg" in page
    assert "<b>" not in page
    for path in (root / "train").rglob("*"):
        if path.is_file():
            path.write_bytes(b"gone")
    code, out, _ = command("check", str(root))
    assert code == 2
    assert "Training on this would be meaningless" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "there is no 'nowhere'"),
        (["digits", "--set", "epochz=3"], "'epochz' is no setting"),
        (["digits", "--set", "image_size=1"], "image_size"),
        (["digits", "--json", "."], "a report must go to a new file"),
    ],
)
def test_slips_are_one_sentence(command, arguments, says):
    code, _, err = command("check", *arguments)
    assert code == 2
    assert says in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.timeout(300)
def test_a_model_finds_labels_that_are_wrong(weights, cache, tmp_path):
    """Characters that the built-in network knows, one in twenty with another's label."""
    from trainables.data.glyphs import CLASSES as CHARACTERS
    from trainables.data.glyphs import render_glyphs

    pixels, labels, _ = render_glyphs(per_font=6, seed=5)
    letters = {CHARACTERS.index(letter): letter for letter in "ABE"}
    numbers = dict.fromkeys(letters.values(), 0)
    wrong = set()
    for picture, label in zip(pixels, labels, strict=True):
        if int(label) not in letters or numbers[letters[int(label)]] >= 100:
            continue
        letter = letters[int(label)]
        numbers[letter] += 1
        told = letter if numbers[letter] % 20 else {"A": "B", "B": "E", "E": "A"}[letter]
        name = f"{told}/{letter}{numbers[letter]}.png"
        if told != letter:
            wrong.add(name)
        write(tmp_path / "letters" / name, encoded(Image.fromarray(picture.squeeze())))
    cache.mkdir()
    shutil.copy(weights, cache)
    report = check_data(str(tmp_path / "letters"), {"model": "glyphs", "channels": 1, "crop_pct": 1.0}).report
    finding = found(report)["label_errors"]
    assert len(wrong) == 15
    named_ = {keys[0] for keys in named(report, finding)}
    assert len(named_ & wrong) >= 10
    assert len(named_ - wrong) <= 2
    assert not report.skipped
