"""A fault planted in a real training is named, and a healthy one has no name. About a minute in all."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import QUIET_CPU, small_dataset
from trainables import Diverged, Fixed, diagnose, from_params, prepare
from trainables.data import Images, load_dataset
from trainables.material import reading_of

FULL = {"strategy": "full", "strategy.full.lr": 1e-3, "augmentation_strength": 0.0}
PARTS = "tests.trainables.diagnosis.faults"


@pytest.fixture(scope="module")
def digits(glyph_weights):
    return load_dataset("digits", 0)


def trained(params, dataset, **settings):
    """Records, and the divergence that ended them."""
    fixed = Fixed(**{"model": "glyphs", "epochs": 4, **QUIET_CPU, **settings})
    records = []
    try:
        records.extend(from_params(params, fixed, 0, prepare(dataset, fixed)).epochs())
    except Diverged as error:
        return records, error
    return records, None


def names(records) -> set[str]:
    return {one.name for one in diagnose(records)}


def test_a_rate_of_nothing_learns_nothing(digits):
    records, _ = trained({**FULL, "strategy.full.lr": 0.0}, digits)
    assert names(records) == {"not_learning"}


def test_a_rate_a_thousand_times_too_high_tears_weights_apart(digits):
    records, error = trained({**FULL, "strategy.full.lr": 1.0}, digits)
    assert error is None
    assert names(records) == {"exploding_group"}


def test_a_rate_so_high_that_numbers_end_is_told_by_what_grew(digits):
    params = {**FULL, "strategy.full.lr": 30.0, "optimizer": "sgd", "clipping": "none"}
    _, error = trained(params, digits)
    assert error.diagnosis.name == "rate_too_high"
    assert " grew from " in str(error)
    assert error.diagnosis.figures["healthy_loss"] > 1e3
    assert "Lower the learning rate" in str(error)


def test_a_step_that_leaves_weights_that_are_no_numbers_is_the_rate(fixed, material):
    params = {**FULL, "strategy.full.lr": 1e38, "optimizer": "sgd", "weight_decay": 0.0}
    fixed = fixed.model_copy(update={"warmup_epochs": 0.0, "clipping": "none"})
    with pytest.raises(Diverged) as caught:
        list(from_params(params, fixed, 0, material).epochs())
    assert caught.value.diagnosis.name == "rate_too_high"
    assert (caught.value.epoch, caught.value.step) == (1, 2)


@pytest.mark.parametrize("strategy", ["full", "feature_extraction"])
def test_images_that_are_no_numbers_are_named_by_their_rows(strategy, digits):
    bright = (digits.train.pixels / 255).mean((1, 2, 3)) > 0.3
    params = {"strategy": strategy, f"strategy.{strategy}.lr": 1e-3}
    records, error = trained(params | {"augmentation": f"{PARTS}:Splatters"}, digits)
    assert 0 < bright.sum() < len(bright)
    assert error.diagnosis.name == "bad_input"
    rows = error.diagnosis.figures["rows"]
    assert rows
    assert all(bright[row] for row in rows)
    assert error.epoch == 1
    assert not records


def test_a_logarithm_of_nothing_is_told_with_its_images(digits):
    _, error = trained({**FULL, "loss": f"{PARTS}:LogOfZero"}, digits)
    assert error.diagnosis.name == "infinite_loss"
    assert error.what == "loss"
    assert 1 <= len(error.diagnosis.figures["rows"]) <= 10
    assert "while the network's outputs are" in error.diagnosis.says


def test_activations_that_fp16_cannot_hold_are_told_from_those_that_nothing_can():
    settings = {"model": f"{PARTS}:loud", "pretrained": False, "batch_size": 16, "precision": "fp16"}
    _, error = trained(FULL, small_dataset(), **settings)
    assert error.diagnosis.name == "fp16_overflow"
    assert "finite in fp32" in error.diagnosis.says
    _, error = trained(FULL, small_dataset(), **{**settings, "precision": "fp32", "epochs": 2})
    assert error is None


def test_gradients_that_overflow_however_little_they_are_scaled_end_it():
    settings = {"model": "test_resnet", "pretrained": False, "batch_size": 16, "precision": "fp16"}
    _, error = trained({**FULL, "loss": f"{PARTS}:Roots"}, small_dataset(), **settings, repeats=20)
    assert error.what == "gradient"
    assert error.diagnosis.name == "fp16_overflow"
    assert error.diagnosis.figures["loss_scale"] < 1


def test_weights_that_were_no_numbers_from_the_start():
    _, error = trained(FULL, small_dataset(), model=f"{PARTS}:broken", pretrained=False, batch_size=16)
    assert error.diagnosis.name == "broken_weights"
    assert (error.epoch, error.step) == (1, 1)


def test_a_group_that_gradients_do_not_reach_stands_still_whatever_decays_it():
    settings = {"model": f"{PARTS}:detached", "pretrained": False, "batch_size": 16, "weight_decay": 0.1}
    params = {"strategy": "layer_decay", "strategy.layer_decay.lr": 3e-3, "strategy.layer_decay.ratio": 0.5}
    records, _ = trained(params, small_dataset(), **settings, repeats=4)
    (found,) = diagnose(records)
    assert found.name == "dead_group"
    assert found.figures["groups"] == ["layer_0", "layer_1", "layer_2"]


def shuffled(images: Images, seed: int, share: float = 1.0) -> Images:
    rng = np.random.default_rng(seed)
    labels = images.labels.copy()
    picked = rng.permutation(len(labels))[: round(share * len(labels))]
    labels[picked] = rng.permutation(labels[picked])
    return replace(images, labels=labels)


def test_shuffled_labels_carry_nothing_over(digits):
    wrong = replace(digits, train=shuffled(digits.train, 0))
    records, _ = trained({**FULL, "strategy.full.lr": 3e-3}, wrong, epochs=12)
    assert names(records) >= {"nothing_carries_over"}
    assert names(records) <= {"nothing_carries_over", "overfitting"}


def test_a_network_that_learns_wrong_labels_by_heart_overfits(digits):
    wrong = replace(digits, train=shuffled(digits.train, 0, 0.4))
    records, _ = trained({**FULL, "strategy.full.lr": 3e-3}, wrong, epochs=12)
    assert names(records) == {"overfitting"}


SIGNS = Path(__file__).parents[4] / "shared" / "data" / "sign_digits"
HEALTHY = [
    ("glyphs", {"strategy": "full", "strategy.full.lr": 1e-3}),
    ("test_convnext", {"strategy": "full", "strategy.full.lr": 3e-3}),
    ("test_vit", {"strategy": "full", "strategy.full.lr": 1e-3}),
]


@pytest.mark.parametrize(("model", "params"), HEALTHY)
def test_a_healthy_training_on_digits_has_no_diagnosis(model, params, digits):
    settings = {"model": model, "pretrained": model == "glyphs", "epochs": 6}
    settings |= {"model_args": {"img_size": 32}, "image_size": 32} if model == "test_vit" else {}
    records, error = trained(params, digits, **settings)
    assert error is None
    assert diagnose(records) == []


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Fifty photographs of each of four signs."""
    if not SIGNS.is_dir():
        pytest.skip("needs the photographs in a folder `shared` beside the checkout")
    folder = tmp_path_factory.mktemp("signs")
    for kind in sorted(one for one in SIGNS.iterdir() if one.is_dir())[:4]:
        (folder / kind.name).mkdir()
        for image in sorted(kind.iterdir())[:50]:
            (folder / kind.name / image.name).symlink_to(image)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return load_dataset(str(folder), 0, reading_of(Fixed(image_size=32, channels=1)))


@pytest.mark.parametrize(("model", "params"), HEALTHY)
def test_a_healthy_training_on_photographs_has_no_diagnosis(model, params, photographs, glyph_weights):
    settings = {"model": model, "pretrained": model == "glyphs", "epochs": 6, "image_size": 32, "channels": 1}
    settings |= {"model_args": {"img_size": 32}} if model == "test_vit" else {}
    records, error = trained(params, photographs, **settings)
    assert error is None
    assert diagnose(records) == []


def test_a_divergence_keeps_its_diagnosis_when_it_is_sent(digits):
    _, error = trained({**FULL, "loss": f"{PARTS}:LogOfZero"}, digits)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  our own
        assert str(again) == str(error)
        assert again.diagnosis == error.diagnosis
    own = Diverged("loss", 1, 2, float("nan"))
    assert str(copy.copy(own)) == "diverged: loss was nan at epoch 1, step 2"
