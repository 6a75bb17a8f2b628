"""A trial whose processes hold a part of the weights each is the trial of one that holds all."""

import copy

import pytest
import torch

from tests.conftest import QUIET_CPU, is_clock, small_dataset
from tests.trainables.ranks.together import refused, together
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.material import prepare
from trainables.parts import PARTS
from trainables.ranks.limits import SHARDABLE
from trainables.ranks.sharded import Sharded

FULL = {"strategy": "full", "strategy.full.lr": 1e-2, "augmentation_strength": 0.0, "optimizer": "sgd"}
RECIPES = {
    "sgd": FULL,
    "adamw, clipped, in parts": {
        **FULL, "strategy.full.lr": 1e-3, "optimizer": "adamw", "clipping": "norm", "batch_size": 9,
    },
    "layer decay": {
        "strategy": "layer_decay", "strategy.layer_decay.lr": 1e-2, "strategy.layer_decay.ratio": 0.5,
        "augmentation_strength": 0.0, "optimizer": "sgd",
    },
    "probe": {
        "strategy": "feature_extraction", "strategy.feature_extraction.lr": 1e-2, "augmentation_strength": 0.0,
        "optimizer": "sgd",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def two():
    with together(2, Sharded) as both:
        yield both


def small(model):
    return Fixed(model=model, pretrained=False, epochs=3, batch_size=8, **QUIET_CPU)


def made(params, fixed):
    if fixed.model == "test_resnet" and params["strategy"] != "feature_extraction":
        params = {**params, "batchnorm": "frozen"}
    return from_params(params, fixed, 0, prepare(small_dataset(side=32), fixed))


def numbers(metrics):
    return {name: value for name, value in metrics.items() if not is_clock(name)}


def trained(params, fixed):
    """Metrics, the last state, and how many of the weights this process held."""
    trainable = made(params, fixed)
    records = list(trainable.epochs())
    held = numel(trainable.model.parameters())
    return [numbers(record.metrics) for record in records], records[-1].report, trainable.state_dict(), held


def numel(tensors):
    """Numbers that this process has."""
    return sum(getattr(tensor, "_local_tensor", tensor).numel() for tensor in tensors)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("test_resnet", "sgd"),
        ("test_resnet", "probe"),
        ("test_vit", "adamw, clipped, in parts"),
        ("test_vit", "layer decay"),
    ],
)
def test_two_processes_with_half_the_weights_each_train_what_one_trains(two, model, name):
    fixed = small(model).model_copy(update={"micro_batch": 3} if "parts" in name else {})
    (first, report, state, held), (second, _, _, other) = two(trained, RECIPES[name], fixed)
    alone, wanted, whole, all_of_them = trained(RECIPES[name], fixed)
    assert first == second
    for ours, theirs in zip(first, alone, strict=True):
        assert ours == pytest.approx(theirs, rel=2e-3, abs=2e-3)
    assert held + other == all_of_them
    assert max(held, other) < 0.7 * all_of_them
    assert report["epoch"] == wanted["epoch"]
    assert report["accuracy"] == pytest.approx(wanted["accuracy"])
    assert state["model"].keys() == whole["model"].keys()
    assert all(type(tensor) is torch.Tensor for tensor in state["model"].values())
    for key, tensor in whole["best"]["weights"].items():
        torch.testing.assert_close(state["best"]["weights"][key], tensor, rtol=2e-2, atol=2e-3)


def test_it_goes_on_from_a_checkpoint_with_as_many_processes(two):
    params, fixed = {**FULL, "optimizer": "adamw", "strategy.full.lr": 1e-3}, small("test_vit")
    uninterrupted = two(trained, params, fixed)[0][0]
    state = two(half, params, fixed)[0]
    for ours, theirs in zip(two(rest, params, fixed, state)[0], uninterrupted[1:], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def test_the_best_weights_of_a_checkpoint_are_held_in_parts_too(two):
    fixed = small("test_vit")
    state = half(FULL, fixed)
    (first, whole), (second, _) = two(held_after, FULL, fixed, state)
    assert first + second == whole
    assert max(first, second) < 0.7 * whole


def held_after(params, fixed, state):
    trainable = made(params, fixed)
    trainable.load_state_dict(copy.deepcopy(state))
    return numel(trainable._best.values()), sum(
        tensor.numel() for tensor in state["best"]["weights"].values()
    )


def test_it_goes_on_from_a_checkpoint_with_one_and_the_other_way_round(two):
    fixed = small("test_resnet")
    wanted = trained(FULL, fixed)[0][1:]
    for found in (rest(FULL, fixed, two(half, FULL, fixed)[0]), two(rest, FULL, fixed, half(FULL, fixed))[0]):
        for ours, theirs in zip(found, wanted, strict=True):
            assert ours == pytest.approx(theirs, rel=2e-3, abs=2e-3)


def half(params, fixed):
    trainable = made(params, fixed)
    next(trainable.epochs())
    return copy.deepcopy(trainable.state_dict())


def rest(params, fixed, state):
    trainable = made(params, fixed)
    trainable.load_state_dict(copy.deepcopy(state))  # what comes from another process is its memory too
    return [numbers(record.metrics) for record in trainable.epochs()]


# What it cannot do.


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        ({"optimizer": "lion"}, "`sharded` needs optimizer among adam, adamw, sgd, but got optimizer='lion'"),
        ({"ema_decay": 0.9}, "`sharded` needs ema_decay=0, but got ema_decay=0.9"),
        ({"sharpness": "sam"}, "`sharded` needs sharpness among none, but got sharpness='sam'"),
    ],
)
def test_what_needs_weights_whole_is_refused(two, changes, law):
    fixed = small("test_resnet")
    assert two(refused, made, {**FULL, **changes}, fixed) == [law] * 2


def test_what_it_takes_are_parts_that_there_are():
    for kind, names in SHARDABLE.items():
        assert names <= PARTS[kind].keys()
