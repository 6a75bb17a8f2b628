"""Numbers that the training core gave once, and must go on giving.

Recorded with torch 2.15 on one thread in fp32. The tolerance is for other processors: forced to AVX2 and to
SSE4.1, the same training moved by 2e-5 at most. A change of order, augmentation, schedule, initialisation
or optimizer moves it by far more (the last test shows by how much).
"""

import pytest

from tests.conftest import QUIET_CPU, small_dataset
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.material import prepare

OTHER_PROCESSORS = 1e-3

RECIPES = {
    "full": {"strategy": "full", "strategy.full.lr": 1e-3},
    "probe": {"strategy": "feature_extraction", "strategy.feature_extraction.lr": 1e-2},
    "layer_decay": {
        "strategy": "layer_decay",
        "strategy.layer_decay.lr": 1e-3,
        "strategy.layer_decay.ratio": 0.1,
    },
}
TRAIN = {
    "full": (1.360418, 0.838545, 0.549063),
    "probe": (1.386768, 1.376832, 1.369886),
    "layer_decay": (1.439914, 1.161703, 0.991369),
}
VAL = {
    "full": (1.353706, 1.018641, 0.752464),
    "probe": (1.379952, 1.372715, 1.371235),
    "layer_decay": (1.378946, 1.267532, 1.099629),
}


def losses(params, fixed, material, seed=0) -> tuple[list[float], list[float]]:
    records = list(from_params(params, fixed, seed, material).epochs())
    return tuple([record.metrics[name] for record in records] for name in ("train/loss", "val/loss"))


@pytest.fixture(scope="module")
def golden_fixed():
    return Fixed(model="test_resnet", pretrained=False, epochs=3, batch_size=16, repeats=4, **QUIET_CPU)


@pytest.fixture(scope="module")
def golden_material(golden_fixed):
    return prepare(small_dataset(), golden_fixed)


@pytest.mark.parametrize("name", RECIPES)
def test_a_tiny_network_learns_as_it_did_when_this_was_written(name, golden_fixed, golden_material):
    train, val = losses(RECIPES[name], golden_fixed, golden_material)
    assert train == pytest.approx(TRAIN[name], rel=OTHER_PROCESSORS)
    assert val == pytest.approx(VAL[name], rel=OTHER_PROCESSORS)


@pytest.mark.parametrize(
    "change",
    [
        {"weight_decay": 0.1},
        {"warmup_epochs": 0.9},
        {"augmentation_strength": 0.31},
        {"label_smoothing": 0.01},
    ],
)
def test_a_small_change_of_the_recipe_is_larger_than_the_tolerance(change, golden_fixed, golden_material):
    train, _ = losses({**RECIPES["full"], **change}, golden_fixed, golden_material)
    assert train != pytest.approx(TRAIN["full"], rel=OTHER_PROCESSORS)


@pytest.fixture(scope="module")
def vit():
    """A network without BatchNorm, whose statistics would be those of the micro-batch."""
    model = {"model": "test_vit", "model_args": {"img_size": 32}, "image_size": 32}
    fixed = Fixed(**model, pretrained=False, epochs=3, batch_size=16, repeats=4, **QUIET_CPU)
    material = prepare(small_dataset(), fixed)
    params = {
        **RECIPES["full"],
        "augmentation_strength": 0.0,
    }  # what is drawn at random is drawn a micro-batch
    return params, fixed, material, losses(params, fixed, material)


@pytest.mark.parametrize("micro", [1, 5, 8, 15, 16, 100])
def test_micro_batches_of_any_size_give_the_numbers_of_the_whole_batch(micro, vit):
    params, fixed, material, (whole_train, whole_val) = vit
    train, val = losses(params, fixed.model_copy(update={"micro_batch": micro}), material)
    assert train == pytest.approx(whole_train, rel=1e-5)
    assert val == pytest.approx(whole_val, rel=1e-4)


@pytest.mark.parametrize("micro", [8, 16])
def test_four_times_eight_is_one_batch_of_32(micro):
    """The plain case of accumulation, on a network without BatchNorm, whose statistics are those of the parts."""
    model = {"model": "test_convnext", "image_size": 32}
    fixed = Fixed(**model, pretrained=False, epochs=3, batch_size=32, repeats=4, **QUIET_CPU)
    material = prepare(small_dataset(), fixed)
    params = {
        **RECIPES["full"],
        "augmentation_strength": 0.3,
    }  # drawn for the whole batch, however it is split
    whole_train, whole_val = losses(params, fixed, material)
    train, val = losses(params, fixed.model_copy(update={"micro_batch": micro}), material)
    assert train == pytest.approx(whole_train, rel=1e-4)
    assert val == pytest.approx(whole_val, rel=1e-3)
