"""What sampling and weights are for: a rare class that is found, on a set ten to one, by real trainings."""

from functools import cache

import numpy as np
import pytest

from tests.conftest import QUIET_CPU
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.data import Dataset, Images, Invariances
from trainables.evaluation import predict
from trainables.material import Material, prepare

SEEDS = (0, 1, 2)
RECIPES = {
    "plain": {},
    "balanced": {"sampling": "balanced"},
    "square_root": {"sampling": "balanced", "sampling.balanced.power": 0.5},
    "inverse": {"class_weights": "inverse"},
    "effective": {"class_weights": "effective"},
    "both": {"sampling": "balanced", "class_weights": "inverse"},
}


def faint(counts, seed: int) -> Images:
    """Noise with one quadrant a little brighter; the label says which. Too little for it to be plain."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    pixels = rng.integers(0, 200, (len(labels), 16, 16, 1), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[:8, 8 * label : 8 * label + 8] += 45
    return Images(pixels, labels)


@cache
def study() -> tuple[Fixed, Material]:
    val = faint((100, 100), 1)
    still = Invariances(horizontal_flip=False, rotation=0.0)
    dataset = Dataset("unequal", ("common", "rare"), faint((120, 12), 0), val, val, still)
    fixed = Fixed(
        model="test_resnet", pretrained=False, epochs=6, batch_size=16, augmentation_strength=0.0, **QUIET_CPU
    )
    return fixed, prepare(dataset, fixed)


@cache
def recalls(recipe: str, seed: int) -> tuple[float, float]:
    """Of the common and of the rare class, in [0, 1], on a validation split that has both equally often."""
    fixed, material = study()
    params = {"strategy": "full", "strategy.full.lr": 1e-3, **RECIPES[recipe]}
    trained = from_params(params, fixed, seed, material)
    assert len(list(trained.epochs())) == fixed.epochs
    right = predict(trained.model, trained.val, trained.normalise, trained.precision).argmax(1)
    hits = right == trained.val.labels
    common, rare = (float(hits[trained.val.labels == label].float().mean()) for label in (0, 1))
    return common, rare


def mean_recalls(recipe: str) -> tuple[float, float]:
    common, rare = np.mean([recalls(recipe, seed) for seed in SEEDS], axis=0)
    return float(common), float(rare)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("recipe", [name for name in RECIPES if name not in ("plain", "both")])
def test_the_rare_class_is_found_more_often_and_both_classes_together_are(recipe, seed):
    common, rare = recalls(recipe, seed)
    plain_common, plain_rare = recalls("plain", seed)
    assert rare > plain_rare + 0.05
    assert common + rare > plain_common + plain_rare + 0.05


def test_sampling_and_weights_together_give_up_more_of_the_common_class():
    """Both correct the same thing, as the docs say."""
    common, rare = mean_recalls("both")
    for alone in ("balanced", "inverse"):
        assert common < mean_recalls(alone)[0] - 0.03
        assert rare > mean_recalls(alone)[1] + 0.03
