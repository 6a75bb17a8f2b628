"""The built-in backbone's weights: the same each time, whole or not there, made once."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

from trainables.data.cache import CACHE_VARIABLE
from trainables.models import glyphs


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Two epochs over a twentieth of the characters: the way is the same, the weights are worse."""
    monkeypatch.setattr(glyphs, "PER_FONT", 1)
    monkeypatch.setattr(glyphs, "EPOCHS", 2)
    monkeypatch.setitem(glyphs.RECIPE, "warmup_epochs", 0.5)
    return lambda folder: monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / folder))


def test_the_weights_are_the_same_each_time_and_made_once(quick, tmp_path):
    told = []
    quick("one")
    first = glyphs.ensure_weights(lambda done, total: told.append((done, total)))
    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)
    stamp = first.stat().st_mtime_ns
    assert glyphs.ensure_weights() == first
    assert first.stat().st_mtime_ns == stamp
    quick("two")
    second = glyphs.ensure_weights()
    assert second != first
    assert second.name == first.name
    ours, theirs = load_file(first), load_file(second)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert sorted(path.suffix for path in (tmp_path / "two").iterdir()) == [".lock", ".safetensors"]


def test_another_recipe_has_another_file(quick, monkeypatch):
    quick("one")
    before = glyphs.weights_path()
    monkeypatch.setattr(glyphs, "SEED", glyphs.SEED + 1)
    assert glyphs.weights_path() != before


def test_the_data_set_of_characters_is_not_what_the_backbone_was_trained_on():
    from trainables.data.glyphs import glyphs as data_set
    from trainables.data.glyphs import render_glyphs

    seen = {image.tobytes() for image in render_glyphs(4, seed=glyphs.SEED)[0]}
    seen |= {image.tobytes() for image in render_glyphs(1, seed=glyphs.SEED + 1)[0]}
    for seed in (0, 1):
        split = data_set(seed)
        images = [image for part in (split.train, split.val, split.test) for image in part.pixels]
        assert not seen & {image.tobytes() for image in images}


@pytest.mark.slow
def test_the_real_weights_transfer_to_digits(glyph_weights):
    from trainables.builder import from_params
    from trainables.config import Fixed
    from trainables.data import load_dataset
    from trainables.material import prepare

    fixed = Fixed(epochs=9, repeats=1, precision="fp32", device="cpu")
    material = prepare(load_dataset("digits"), fixed)
    scores = {}
    for strategy, lr in (("full", 3e-3), ("feature_extraction", 1e-2), ("scratch", 3e-3)):
        trainable = from_params({"strategy": strategy, f"strategy.{strategy}.lr": lr}, fixed, 0, material)
        scores[strategy] = max(record.score for record in trainable.epochs())
    assert scores["full"] > 0.93, scores
    assert scores["feature_extraction"] > 0.9, scores
    assert scores["scratch"] < scores["full"] - 0.05, scores
