"""Each kind of image has the outcome that it is documented to have."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.trainables.data.pictures import SIDE, animation, encoded, rotated, scene, sixteen_bits
from trainables.data.decoding import decode
from trainables.data.facts import TRUNCATED, UNREADABLE
from trainables.data.preprocessing import Preprocessing

WHOLE = Preprocessing(size=SIDE, crop_pct=1.0)


def pixels_of(raw, preprocessing=WHOLE):
    pixels, row = decode(raw, preprocessing)
    assert pixels is not None, row
    assert pixels.shape == (preprocessing.side, preprocessing.side, preprocessing.channels)
    assert pixels.dtype == np.uint8
    return pixels, row


def test_an_image_of_the_right_size_keeps_its_pixels():
    picture = scene(0)
    pixels, row = pixels_of(encoded(picture))
    assert np.array_equal(pixels, np.asarray(picture))
    assert (row["format"], row["mode"], row["width"], row["height"], row["frames"]) == (
        "PNG",
        "RGB",
        64,
        64,
        1,
    )
    assert row["brightness"] == pytest.approx(np.asarray(picture.convert("L")).mean() / 255, abs=2e-3)
    assert row["mean"] == pytest.approx(np.asarray(picture).reshape(-1, 3).mean(0) / 255, abs=1e-5)
    assert row["deviation"] == pytest.approx(np.asarray(picture).reshape(-1, 3).std(0) / 255, abs=1e-5)


def test_grey_is_the_same_in_each_channel_and_colour_becomes_luma():
    grey = scene(1).convert("L")
    pixels, row = pixels_of(encoded(grey))
    assert row["mode"] == "L"
    assert all(np.array_equal(pixels[..., channel], np.asarray(grey)) for channel in range(3))
    one, _ = pixels_of(encoded(scene(1)), Preprocessing(size=SIDE, crop_pct=1.0, channels=1))
    assert np.array_equal(one[..., 0], np.asarray(grey))


def test_black_and_white_is_black_and_white():
    pixels, row = pixels_of(encoded(scene(1).convert("1")))
    assert row["mode"] == "1"
    assert set(np.unique(pixels)) == {0, 255}


def test_what_is_see_through_lies_on_white_or_is_kept():
    picture = scene(2).convert("RGBA")
    alpha = np.full((SIDE, SIDE), 255, np.uint8)
    alpha[: SIDE // 2] = 0
    picture.putalpha(Image.fromarray(alpha))
    pixels, row = pixels_of(encoded(picture))
    assert row["mode"] == "RGBA"
    assert (pixels[: SIDE // 2] == 255).all()
    assert np.array_equal(pixels[SIDE // 2 :], np.asarray(scene(2))[SIDE // 2 :])
    kept, _ = pixels_of(encoded(picture), Preprocessing(size=SIDE, crop_pct=1.0, channels=4))
    assert np.array_equal(kept[..., 3], alpha)
    opaque, _ = pixels_of(encoded(scene(2)), Preprocessing(size=SIDE, crop_pct=1.0, channels=4))
    assert (opaque[..., 3] == 255).all()


@pytest.mark.parametrize("see_through", [False, True])
def test_palettes_are_looked_up(see_through):
    picture = scene(3).convert("P", palette=Image.Palette.ADAPTIVE, colors=32)
    options = {"transparency": 0} if see_through else {}
    pixels, row = pixels_of(encoded(picture, **options))
    assert row["mode"] == "P"
    expected = np.asarray(picture.convert("RGB")).copy()
    if see_through:
        expected[np.asarray(picture) == 0] = 255
    assert np.array_equal(pixels, expected)


def test_cmyk_is_converted():
    picture = scene(4).convert("CMYK")
    pixels, row = pixels_of(encoded(picture, "TIFF"))
    assert row["mode"] == "CMYK"
    assert np.array_equal(pixels, np.asarray(picture.convert("RGB")))
    assert np.abs(pixels.astype(int) - np.asarray(scene(4))).mean() < 3


def test_sixteen_bits_use_the_whole_range_unless_a_window_is_given():
    raw = sixteen_bits(5, top=4095)  # twelve bits, as X-rays have them
    values = np.asarray(Image.open(io.BytesIO(raw))).astype(np.float64)
    dark, row = pixels_of(raw)
    assert row["mode"] == "I;16"
    assert row["peak"] == pytest.approx(4095 / 65535)
    assert np.abs(dark[..., 0] - values / 257).max() <= 0.5
    seen, _ = pixels_of(raw, Preprocessing(size=SIDE, crop_pct=1.0, window=(0, 4095)))
    assert np.abs(seen[..., 0] - values * 255 / 4095).max() <= 0.5
    narrow, _ = pixels_of(raw, Preprocessing(size=SIDE, crop_pct=1.0, window=(1000, 2000)))
    assert np.abs(narrow[..., 1] - ((values - 1000) * 255 / 1000).clip(0, 255)).max() <= 0.5


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_rotation_is_applied(orientation):
    raw = rotated(6, orientation)
    pixels, row = pixels_of(raw)
    assert row["rotated"]
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(raw)))
    assert np.array_equal(pixels, np.asarray(upright))


def test_of_an_animation_the_first_frame_counts():
    raw = animation(7, 8, 9)
    pixels, row = pixels_of(raw)
    assert row["frames"] == 3
    assert np.array_equal(pixels, np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_file_is_a_fault_and_not_half_a_picture(kind, share):
    whole = encoded(scene(10, 256), kind)
    pixels, row = decode(whole[: int(len(whole) * share)], WHOLE)
    assert pixels is None
    assert row["fault"] in (TRUNCATED, UNREADABLE)
    assert row["reason"]
    if kind in ("JPEG", "PNG", "GIF", "BMP"):
        assert row["fault"] == TRUNCATED


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b"no image at all", "no image format"),
        (b"\xff\xd8\xff", ""),
        (b"\x93NUMPY\x01\x00", ""),
        (np.zeros((4, 4, 3, 2)), "must be"),
        (np.asarray([["a"]]), "must be"),
        (np.full((8, 8), np.nan), "finite"),
        (np.full((8, 8), 300.0), "window"),
        (np.zeros((8, 8, 5), np.uint8), "5 channels"),
    ],
)
def test_what_is_no_image_says_why(raw, reason):
    pixels, row = decode(raw, WHOLE)
    assert pixels is None
    assert row["fault"] in (UNREADABLE, TRUNCATED)
    assert reason in row["reason"]


def test_a_pickle_in_an_array_file_is_never_run():
    out = io.BytesIO()
    np.save(out, np.asarray([{"a": 1}], dtype=object), allow_pickle=True)
    pixels, row = decode(out.getvalue(), WHOLE)
    assert pixels is None
    assert row["fault"] == UNREADABLE
    assert pickle.__name__ in row["reason"]


@pytest.mark.parametrize(
    ("array", "channels", "expected"),
    [
        (np.full((8, 8), 0.5), 3, [128, 128, 128]),
        (np.full((8, 8), True), 1, [255]),
        (np.full((8, 8, 1), 32768, np.uint16), 3, [128, 128, 128]),
        (np.tile(np.asarray([0, 51, 102, 153, 255], np.uint8), (8, 8, 1)), 5, [0, 51, 102, 153, 255]),
        (np.tile(np.asarray([1.0, 0.0, 0.0], np.float32), (8, 8, 1)), 1, [76]),
    ],
)
def test_arrays_of_numbers_are_images(array, channels, expected):
    pixels, _ = pixels_of(array, Preprocessing(size=8, crop_pct=1.0, channels=channels))
    assert pixels[3, 3].tolist() == expected


def test_ways_to_make_a_rectangle_square():
    wide = Image.new("RGB", (90, 30))
    wide.paste((255, 0, 0), (0, 0, 30, 30))
    wide.paste((0, 255, 0), (30, 0, 60, 30))
    wide.paste((0, 0, 255), (60, 0, 90, 30))
    raw = encoded(wide)
    crop, _ = pixels_of(raw, Preprocessing(size=30, crop_pct=1.0))
    assert (crop == (0, 255, 0)).all()
    squash, _ = pixels_of(raw, Preprocessing(size=30, crop_pct=1.0, fit="squash"))
    assert squash[15, [2, 15, 27]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    pad, _ = pixels_of(raw, Preprocessing(size=30, crop_pct=1.0, fit="pad"))
    assert (pad[:10] == 0).all()
    assert (pad[20:] == 0).all()
    assert pad[15, [2, 15, 27]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_a_big_jpeg_decoded_small_looks_like_the_same_resized():
    big = scene(11, 1024)
    raw = encoded(big, "JPEG", quality=95)
    pixels, row = pixels_of(raw)
    assert (row["width"], row["height"]) == (1024, 1024)
    whole = Image.open(io.BytesIO(raw)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    assert np.abs(pixels.astype(int) - np.asarray(whole)).mean() < 1.0


@pytest.mark.parametrize(
    ("size", "pct", "side"), [(224, 0.875, 256), (224, 1.0, 224), (32, 0.875, 36), (299, 0.9, 333)]
)
def test_the_margin_is_the_same_on_both_sides(size, pct, side):
    preprocessing = Preprocessing(size=size, crop_pct=pct)
    assert preprocessing.side == side
    assert (preprocessing.side - size) % 2 == 0


def test_the_key_is_of_what_is_in_the_pixels():
    key = Preprocessing(size=224, crop_pct=0.875).key()
    assert key == Preprocessing(size=256, crop_pct=1.0).key()  # the same pictures, cut otherwise
    others = [
        Preprocessing(size=192),
        Preprocessing(size=224, channels=1),
        Preprocessing(size=224, fit="pad"),
        Preprocessing(size=224, interpolation="bilinear"),
        Preprocessing(size=224, window=(0, 4095)),
    ]
    assert len({key, *(other.key() for other in others)}) == 6


def test_copies_have_nearly_the_same_hash_and_others_do_not():
    def hash_of(raw):
        return int(pixels_of(raw)[1]["phash"])

    first = hash_of(encoded(scene(12, 256)))
    for copy in (
        encoded(scene(12, 256), "JPEG", quality=60),
        encoded(scene(12, 256).resize((128, 128), Image.Resampling.LANCZOS)),
    ):
        assert (first ^ hash_of(copy)).bit_count() <= 6
    assert all((first ^ hash_of(encoded(scene(seed, 256)))).bit_count() > 10 for seed in range(13, 20))
