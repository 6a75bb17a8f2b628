import numpy as np
import pytest

from spaces import InputError
from trainables.data.glyphs import CLASSES, _distance_fields, glyph_fonts, glyphs, render_glyphs

FONTS = len(glyph_fonts())
ROUND = FONTS * len(CLASSES)


@pytest.fixture(scope="module")
def rendered():
    return render_glyphs(2, seed=3)


def test_shapes_types_and_classes(rendered):
    pixels, labels, classes = rendered
    assert pixels.shape == (2 * ROUND, 32, 32, 1)
    assert pixels.dtype == np.uint8
    assert labels.shape == (2 * ROUND,)
    assert labels.dtype == np.int64
    assert classes == tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def test_classes_are_balanced(rendered):
    _, labels, classes = rendered
    assert np.bincount(labels).tolist() == [2 * FONTS] * len(classes)


def test_same_seed_same_bytes(rendered):
    again = render_glyphs(2, seed=3)
    assert again[0].tobytes() == rendered[0].tobytes()
    assert again[1].tobytes() == rendered[1].tobytes()


def test_another_seed_another_picture_of_everything(rendered):
    pixels, labels, _ = render_glyphs(2, seed=4)
    assert (labels == rendered[1]).all()
    assert (pixels != rendered[0]).any(axis=(1, 2, 3)).all()


def test_a_longer_rendering_starts_with_a_shorter_one(rendered):
    assert (render_glyphs(1, seed=3)[0] == rendered[0][:ROUND]).all()


def test_every_font_draws_every_class_in_white_on_black(rendered):
    pixels = rendered[0].astype(float)
    brightest, median = pixels.max(axis=(1, 2, 3)), np.median(pixels, axis=(1, 2, 3))
    assert brightest.min() >= 0.5 * 255
    assert np.mean(median < brightest / 2) > 0.9  # mostly background, but for a bold M close up
    assert (pixels > brightest[:, None, None, None] / 2).sum(
        axis=(1, 2, 3)
    ).min() >= 12  # strokes, not specks


def test_no_two_characters_of_a_font_are_the_same_picture_and_no_two_fonts_are_the_same():
    """A font that lacks a character draws its empty box for it, for every character that it lacks."""
    fields = _distance_fields().reshape(FONTS, len(CLASSES), -1)
    for font in fields:
        assert len(np.unique(font, axis=0)) == len(CLASSES)
    assert len(np.unique(fields.reshape(FONTS, -1), axis=0)) == FONTS


def test_characters_can_be_told_apart_by_a_nearest_mean():
    pixels, labels, _ = render_glyphs(8, seed=1)
    flat = pixels.reshape(len(pixels), -1).astype(float)
    flat = (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)
    learn, test = slice(0, 6 * ROUND), slice(6 * ROUND, None)
    means = np.stack([flat[learn][labels[learn] == label].mean(0) for label in range(len(CLASSES))])
    accuracy = np.mean((flat[test] @ means.T - (means**2).sum(1) / 2).argmax(1) == labels[test])
    assert accuracy > 20 / len(CLASSES)


def test_size_and_progress():
    seen = []
    pixels, _, _ = render_glyphs(2, size=16, progress=lambda done, total: seen.append((done, total)))
    assert pixels.shape[1:] == (16, 16, 1)
    assert seen == [(ROUND, 2 * ROUND), (2 * ROUND, 2 * ROUND)]


@pytest.mark.parametrize(
    ("arguments", "law"), [({"per_font": 0}, "per_font >= 1"), ({"per_font": 1, "size": 7}, "size >= 8")]
)
def test_too_small_is_refused_with_the_law_and_the_value(arguments, law):
    with pytest.raises(InputError, match=law):
        render_glyphs(**arguments)


def test_as_a_data_set_its_splits_are_balanced_and_share_no_image():
    dataset = glyphs(seed=2)
    sizes = [len(part) for part in (dataset.train, dataset.val, dataset.test)]
    assert sizes == [2 * ROUND, ROUND, ROUND]
    assert {np.bincount(part.labels).min() for part in (dataset.val, dataset.test)} == {FONTS}
    images = {
        part.pixels[row].tobytes()
        for part in (dataset.train, dataset.val, dataset.test)
        for row in range(len(part))
    }
    assert len(images) == sum(sizes)
