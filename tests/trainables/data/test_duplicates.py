"""Copies of pictures are found, and what only looks like one of its class is not."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from sklearn.datasets import load_digits, load_sample_images

from tests.trainables.data.pictures import encoded
from trainables.data.decoding import decode
from trainables.data.duplicates import candidates, exact_groups, near_groups
from trainables.data.preprocessing import Preprocessing
from trainables.data.sources.shapes import Shapes

WANTED = Preprocessing(size=96, crop_pct=1.0, fit="squash")


def groups_of(raws, sides=None):
    decoded = [decode(raw, WANTED) for raw in raws]
    hashes = np.asarray([row["phash"] for _, row in decoded], np.uint64)
    return near_groups(hashes, lambda row: decoded[row][0], np.arange(len(raws)), sides=sides)


def cut(image, left, top, right, bottom):
    width, height = image.size
    return image.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


COPIES = {
    "compressed": lambda image: encoded(image, "JPEG", quality=60),
    "half the size": lambda image: encoded(image.resize((100, 100), Image.Resampling.LANCZOS)),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.05)),
    "darker": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.95)),
    "cut all round": lambda image: encoded(cut(image, 0.02, 0.02, 0.02, 0.02)),
    "cut at a corner": lambda image: encoded(cut(image, 0.02, 0.02, 0, 0)),
    "another format": lambda image: encoded(image, "WEBP", quality=80),
}


@cache
def photographs():
    """Twelve pieces, 200 pixels wide, of the two photographs that scikit-learn brings with it."""
    return [
        Image.fromarray(whole[top : top + 200, left : left + 200])
        for whole in load_sample_images().images
        for top in (0, 200)
        for left in (0, 200, 400)
    ]


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_however_it_was_made(how):
    raws = [encoded(one) for one in photographs()] + [COPIES[how](one) for one in photographs()]
    found = groups_of(raws)
    for first, second in combinations(range(24), 2):
        assert (found[first] == found[second]) == (second - first == 12), (how, first, second)


def test_the_same_forms_in_other_colours_are_no_copy():
    first = np.asarray(photographs()[1])
    found = groups_of(
        [
            encoded(Image.fromarray(np.ascontiguousarray(first[..., order])))
            for order in ([0, 1, 2], [2, 0, 1])
        ]
    )
    assert found[0] != found[1]


def test_copies_of_copies_are_together():
    one = photographs()[3]
    two = cut(one, 0.025, 0, 0, 0)
    three = cut(two, 0.025, 0, 0, 0)
    found = groups_of([encoded(one), encoded(two), encoded(three), encoded(photographs()[4])])
    assert found[0] == found[1] == found[2] != found[3]


def test_blank_pictures_are_copies_of_those_of_their_own_brightness():
    raws = [encoded(Image.new("RGB", (64, 64), (level,) * 3)) for level in (0, 0, 255, 0, 255, 128)]
    found = groups_of(raws)
    assert found[0] == found[1] == found[3]
    assert found[2] == found[4]
    assert len(set(found.tolist())) == 3


def test_a_thousand_blank_pictures_are_no_million_pairs():
    blank = np.zeros((32, 32, 3), np.uint8)
    hashes = np.zeros(1000, np.uint64)
    first, second = candidates(hashes)
    assert len(first) < 3000
    assert (first < second).all()
    assert len(set(near_groups(hashes, lambda row: blank, np.arange(1000)).tolist())) == 1


def test_drawn_shapes_of_one_class_are_no_copies():
    source = Shapes(400)
    found = groups_of([encoded(source.read(f"{number:08}")) for number in range(400)])
    assert len(set(found.tolist())) == 400


def test_small_pictures_need_to_be_more_alike():
    """Digits of 8 pixels: many of one class could be the same scene if they had more detail, and are not."""
    raws = [(image * (255 / 16)).astype(np.uint8) for image in load_digits().images[:400]]
    assert len(set(groups_of(raws, np.full(400, 8, np.int32)).tolist())) >= 398
    assert len(set(groups_of(raws, np.full(400, 200, np.int32)).tolist())) < 380


def test_what_is_not_asked_for_is_alone():
    raws = [encoded(photographs()[6])] * 3
    decoded = [decode(raw, WANTED) for raw in raws]
    hashes = np.asarray([row["phash"] for _, row in decoded], np.uint64)
    found = near_groups(hashes, lambda row: decoded[row][0], np.asarray([0, 2]))
    assert found[0] == found[2] != found[1]
    assert len(near_groups(hashes[:0], lambda row: decoded[row][0], np.zeros(0, np.int64))) == 0


def test_the_same_bytes():
    assert (
        exact_groups(np.asarray(["a", "b", "a", "", "", "b"]))[[0, 1]].tolist()
        == exact_groups(np.asarray(["a", "b", "a", "", "", "b"]))[[2, 5]].tolist()
    )
    assert len(set(exact_groups(np.asarray(["a", "", ""])).tolist())) == 3


@given(
    centres=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6),
    turns=st.lists(st.lists(st.integers(0, 63), max_size=12), min_size=2, max_size=30),
    seed=st.integers(0, 9),
)
@settings(max_examples=150, deadline=None)
def test_no_pair_of_near_hashes_is_missed(centres, turns, seed):
    """Against all pairs; hashes are a few values with some bits turned, so that many are near."""
    rng = np.random.default_rng(seed)
    hashes = []
    for bits in turns:
        value = int(rng.choice(np.asarray(centres, np.uint64)))
        for bit in bits:
            value ^= 1 << bit
        hashes.append(value)
    values = np.asarray(hashes, np.uint64)
    first, second = candidates(values)
    found = set(zip(first.tolist(), second.tolist(), strict=True))
    near = {
        (a, b) for a, b in combinations(range(len(values)), 2) if (hashes[a] ^ hashes[b]).bit_count() <= 10
    }
    assert found <= near
    apart = {(a, b) for a, b in near if hashes[a] != hashes[b]}
    if len(set(hashes)) == len(hashes):
        assert found == near
    else:  # of equal ones, enough pairs to hold them together
        reached = {(hashes[a], hashes[b]) for a, b in found} | {(hashes[b], hashes[a]) for a, b in found}
        assert {(hashes[a], hashes[b]) for a, b in apart} <= reached
