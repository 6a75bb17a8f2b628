"""Each fault that is planted is named, and nothing is said of set-ups that have none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.conftest import QUIET_CPU, small_dataset
from trainables.config import Fixed, TrialConfig
from trainables.data import load_dataset
from trainables.data.dataset import Images
from trainables.material import Material, prepare, reading_of
from trainables.preflight.core import setup_of
from trainables.preflight.preflight import CHECKS, Check, preflight
from trainables.preflight.result import Result, Verdict
from trainables.preflight.setup import Setup

PLANTED = "tests.trainables.preflight.planted"
SHARED = Path(__file__).resolve().parents[4] / "shared"
FEW = (
    "labels",
    "inputs",
    "splits",
    "leaks",
    "outputs",
    "meaning",
    "first_loss",
    "modes",
    "gradients",
    "updates",
)
DIGITS = Fixed(model="test_resnet", pretrained=False, epochs=12, **QUIET_CPU)


@pytest.fixture(scope="module")
def digits() -> Material:
    return prepare(load_dataset("digits", 0, reading_of(DIGITS)), DIGITS)


def looked(
    material: Material, fixed: Fixed = DIGITS, *, only: tuple[str, ...] = FEW, **params: object
) -> list[Result]:
    recipe = {"strategy": "full", "strategy.full.lr": 3e-3, **params}
    setup = setup_of(TrialConfig.from_params(recipe, fixed, 0), material)
    return list(preflight(setup, [check for check in CHECKS if check.name in only]))


def faults(results: list[Result]) -> list[str]:
    return [one.fault for one in results if one.fault]


def with_train(material: Material, **changes: object) -> Material:
    return replace(material, train=replace(material.train, **changes))


@pytest.mark.parametrize(("mean", "std"), [((0.0,), (1.0,)), ((0.0,), (1 / 255,))])
def test_pixels_that_are_not_normalised(digits, mean, std):
    results = looked(replace(digits, normalise=replace(digits.normalise, mean=mean, std=std)))
    assert faults(results) == ["not_normalised"]


def test_labels_that_are_shuffled(digits):
    labels = np.random.default_rng(3).permutation(digits.train.labels)
    assert faults(looked(with_train(digits, labels=labels))) == ["labels_unrelated"]


def test_labels_beyond_the_classes(digits):
    (found,) = [one for one in looked(with_train(digits, labels=digits.train.labels + 1)) if one.fault]
    assert (found.fault, found.verdict) == ("labels_out_of_range", Verdict.BLOCKER)
    assert "has label 10, but with 10 classes it must lie in [0, 9]" in found.says


def test_a_frozen_classifier_stops_everything_that_comes_after(digits):
    results = looked_with_strategy(digits, "FrozenHead")
    assert faults(results) == ["frozen_head"]
    assert results[-1].verdict is Verdict.SKIPPED


def test_a_rate_of_zero(digits):
    assert faults(looked_with_strategy(digits, "ZeroRate")) == ["no_update"]


def looked_with_strategy(material: Material, name: str) -> list[Result]:
    whole = f"{PLANTED}:{name}"
    config = TrialConfig.from_params({"strategy": whole, f"strategy.{whole}.lr": 1e-3}, DIGITS, 0)
    return list(preflight(setup_of(config, material), [check for check in CHECKS if check.name in FEW]))


def test_a_thousand_times_the_rate(digits):
    results = looked(digits, only=("overfit", "learning_rate"), **{"strategy.full.lr": 3.0})
    assert "rate_too_high" in faults(results)


def test_a_thousandth_of_the_rate(digits):
    results = looked(digits, only=("overfit", "learning_rate"), **{"strategy.full.lr": 3e-6})
    assert "rate_too_low" in faults(results)


def test_an_image_that_is_not_a_number_after_augmentation(digits):
    pixels = digits.train.pixels.copy()
    pixels[7] = 0
    fixed = DIGITS.model_copy(update={"augmentation": f"{PLANTED}:DividesByZero"})
    results = looked(with_train(digits, pixels=pixels), fixed)
    assert faults(results) == ["not_finite"]
    assert results[1].figures["images"] == [7]


def test_an_image_of_ones_own_that_is_not_a_number():
    inputs, labels = torch.randn(80, 1, 8, 8), torch.arange(80) % 2
    inputs[5, 0, 3, 3] = torch.nan
    results = list(preflight(own((inputs, labels), (torch.randn(40, 1, 8, 8), torch.arange(40) % 2))))
    assert faults(results) == ["not_finite"]
    assert results[1].says == "1 of 80 training images are not finite where the network gets them: number 5"


def test_an_overflow_of_16_bits(digits):
    fixed = DIGITS.model_copy(update={"model": f"{PLANTED}:overflows", "precision": "fp16"})
    assert faults(looked(of(fixed), fixed)) == ["overflow"]


def test_gradients_that_are_never_cleared(digits):
    fixed = DIGITS.model_copy(update={"optimizer": f"{PLANTED}:KeepsGradients"})
    assert faults(looked(digits, fixed)) == ["gradients_add_up"]


def test_a_second_softmax():
    fixed = DIGITS.model_copy(update={"model": f"{PLANTED}:double_softmax"})
    assert faults(looked(of(fixed), fixed)) == ["probabilities"]


def test_batchnorm_in_training_mode_at_evaluation():
    fixed = DIGITS.model_copy(update={"model": f"{PLANTED}:always_training"})
    assert faults(looked(of(fixed), fixed)) == ["evaluates_in_training_mode"]


@pytest.mark.parametrize("spoil", [lambda pixels: 255 - pixels, lambda pixels: pixels // 8])
def test_validation_images_of_another_preprocessing(digits, spoil):
    val = replace(digits.val, pixels=spoil(digits.val.pixels))
    assert faults(looked(replace(digits, val=val))) == ["splits_differ"]


def test_a_label_that_is_written_into_the_picture(digits):
    pixels = digits.train.pixels.copy()
    pixels[:, 0, 0, 0] = digits.train.labels * 25
    assert faults(looked(with_train(digits, pixels=pixels))) == ["leaked_labels"]


def test_validation_images_that_were_learnt_from(digits):
    val = Images(digits.train.pixels[:60], digits.train.labels[:60])
    assert faults(looked(replace(digits, val=val))) == ["leaked_images"]


def test_code_that_raises_is_told_and_not_raised(digits):
    def broken(setup: Setup):
        raise ZeroDivisionError("by zero")

    setup = setup_of(
        TrialConfig.from_params({"strategy": "full", "strategy.full.lr": 1e-3}, DIGITS, 0), digits
    )
    (found,) = preflight(setup, [Check("outputs", broken)])
    assert (found.verdict, found.says) == (Verdict.BLOCKER, "ZeroDivisionError: by zero")


def of(fixed: Fixed) -> Material:
    return prepare(load_dataset("digits", 0, reading_of(fixed)), fixed)


def own(train: tuple[torch.Tensor, torch.Tensor], val: tuple[torch.Tensor, torch.Tensor]) -> Setup:
    return Setup.of(
        model=lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2)),
        optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=1e-2),
        train=train,
        val=val,
        classes=2,
    )


def test_a_loop_of_ones_own_that_is_sound_is_told_so():
    random = torch.Generator().manual_seed(0)

    def images(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(count) % 2
        inputs = torch.randn(count, 1, 8, 8, generator=random)
        inputs[:, :, :4] += labels.view(-1, 1, 1, 1) - 0.5
        return inputs, labels

    results = list(preflight(own(images(200), images(100))))
    assert [one.verdict for one in results] == [Verdict.PASSED] * len(CHECKS), faults(results)


HEALTHY = {
    "glyphs": (Fixed(model="glyphs", epochs=12, **QUIET_CPU), "full", 1e-3),
    "resnet": (DIGITS, "scratch", 3e-3),
    "convnext": (Fixed(model="test_convnext", pretrained=False, epochs=12, **QUIET_CPU), "scratch", 3e-3),
}


@pytest.mark.parametrize("data", ["digits", "quadrants"])
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_set_up_gives_no_finding(name, data, glyph_weights):
    del glyph_weights
    fixed, strategy, rate = HEALTHY[name]
    dataset = small_dataset() if data == "quadrants" else load_dataset(data, 0, reading_of(fixed))
    params = {"strategy": strategy, f"strategy.{strategy}.lr": rate, "batch_size": 16}
    setup = setup_of(TrialConfig.from_params(params, fixed, 0), prepare(dataset, fixed))
    results = list(preflight(setup))
    assert faults(results) == [], [one.says for one in results if one.fault]
    assert len(results) == len(CHECKS)


@pytest.mark.parametrize("strategy", ["full", "feature_extraction"])
def test_a_real_network_on_photographs_gives_no_finding(strategy):
    weights, photographs = SHARED / "weights" / "mobilenetv1_025.safetensors", SHARED / "data" / "sign_digits"
    if not weights.exists() or not photographs.exists():
        pytest.skip("needs the photographs and the weights that are not in the repository")
    half = (0.5, 0.5, 0.5)
    fixed = Fixed(
        model="examples.quarter_mobilenet:quarter_mobilenet", pretrained=str(weights), mean=half, std=half,
        image_size=64, epochs=12, **QUIET_CPU,
    )  # fmt: skip
    material = prepare(load_dataset(str(photographs), 0, reading_of(fixed)), fixed)
    config = TrialConfig.from_params({"strategy": strategy, f"strategy.{strategy}.lr": 3e-3}, fixed, 0)
    assert faults(list(preflight(setup_of(config, material)))) == []


def test_what_is_seen_everywhere_on_a_picture_is_no_mark(digits):
    """Classes that differ in brightness are easy, not leaked."""
    keep = digits.train.labels < 2
    pixels = np.random.default_rng(0).integers(0, 60, digits.train.pixels[keep].shape, dtype=np.uint8)
    pixels += (180 * digits.train.labels[keep]).astype(np.uint8)[:, None, None, None]
    train = Images(np.repeat(pixels, 3, 0), np.repeat(digits.train.labels[keep], 3))
    assert faults(looked(replace(digits, train=train, val=train), only=("leaks",))) == ["leaked_images"]
    other = Images(pixels[::-1] // 2 + 20, digits.train.labels[keep][::-1].copy())
    assert faults(looked(replace(digits, train=train, val=other), only=("leaks",))) == []
