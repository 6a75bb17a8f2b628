"""Where the classifier learns alone, stored features give what the whole network would give."""

from __future__ import annotations

import os
from contextlib import suppress
from statistics import fmean, stdev

import numpy as np
import pytest
import torch

from tests.conftest import QUIET_CPU, quadrants, small_dataset
from trainables import checkpoint
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.data import Dataset, Invariances
from trainables.data.batches import as_tensor
from trainables.data.cache import cache_folder
from trainables.frozen.course import LEVELS, OnFeatures, views_of
from trainables.frozen.eviction import make_room
from trainables.frozen.head import features_an_image
from trainables.frozen.store import FeatureStore
from trainables.material import prepare
from trainables.models.network import make_network
from trainables.precision import Precision
from trainables.testing import open_test

PROBE = {"strategy": "feature_extraction", "strategy.feature_extraction.lr": 1e-2, "batch_size": 16}
GRADUAL = {
    "strategy": "gradual_unfreezing", "strategy.gradual_unfreezing.lr": 3e-3,
    "strategy.gradual_unfreezing.ratio": 0.3, "strategy.gradual_unfreezing.unfrozen_by": 0.8, "batch_size": 16,
}  # fmt: skip
LPFT = {
    "strategy": "probe_then_finetune", "strategy.probe_then_finetune.lr": 1e-3,
    "strategy.probe_then_finetune.probe": 0.5, "batch_size": 16,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def fixed(weights):
    return Fixed(
        model="test_resnet",
        pretrained=str(weights),
        epochs=4,
        repeats=1,
        augmentation_strength=0.0,
        **QUIET_CPU,
    )


@pytest.fixture
def material(fixed):
    return prepare(small_dataset(), fixed)


def trained(params, fixed, material, seed=0):
    trainable = from_params(params, fixed, seed, material)
    return trainable, list(trainable.epochs())


def figures(record):
    """Of an epoch, what the way to it may not change."""
    return [record.metrics[name] for name in ("train/loss", "val/loss", "val/accuracy", "train/grad_norm")]


@pytest.mark.parametrize("params", [PROBE, GRADUAL, LPFT], ids=["probe", "gradual", "probe then fine-tune"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "schedule_free"])
def test_without_augmentation_they_change_nothing(params, optimizer, fixed, material):
    params = {**params, "optimizer": optimizer}
    anew = fixed.model_copy(update={"stored_features": False})
    for stored, computed in zip(
        trained(params, fixed, material)[1], trained(params, anew, material)[1], strict=True
    ):
        assert figures(stored) == pytest.approx(figures(computed), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    "more", [{"ema_decay": 0.9}, {"sharpness": "sam"}, {"label_smoothing": 0.1, "loss": "focal"}]
)
def test_nor_do_they_with_what_else_a_recipe_may_have(more, fixed, material):
    fixed = fixed.model_copy(update=more)
    anew = fixed.model_copy(update={"stored_features": False})
    for stored, computed in zip(
        trained(PROBE, fixed, material)[1], trained(PROBE, anew, material)[1], strict=True
    ):
        assert figures(stored) == pytest.approx(figures(computed), rel=1e-3, abs=1e-4)


def test_the_network_runs_once_for_all_trials(fixed, material, monkeypatch):
    """What the second trial computes is its classifier, and the two images that show that it may."""
    seen = []
    forward = torch.nn.Conv2d.forward
    monkeypatch.setattr(
        torch.nn.Conv2d, "forward", lambda self, x: (seen.append(len(x)), forward(self, x))[1]
    )
    trained(PROBE, fixed, material)
    first, seen[:] = sum(seen), []
    trained({**PROBE, "weight_decay": 0.1}, fixed, material, seed=1)
    convolutions = sum(
        isinstance(module, torch.nn.Conv2d)
        for module in from_params(PROBE, fixed, 0, material).model.modules()
    )
    assert sum(seen) == 2 * convolutions
    assert first == (2 + len(material.train) + len(material.val)) * convolutions


@pytest.mark.parametrize("seeds", [4, pytest.param(12, marks=pytest.mark.slow)])
def test_with_augmentation_a_step_sees_fixed_views_and_validation_stays_within_noise(seeds, weights):
    """At a strength between two that are stored; the difference is within its error."""
    dataset = Dataset(
        "quadrants", tuple("abcd"), quadrants(64, 1, 0), quadrants(200, 1, 1), quadrants(40, 1, 2),
        Invariances(horizontal_flip=False, rotation=10.0),
    )  # fmt: skip
    scores = {}
    for stored in (True, False):
        fixed = Fixed(
            model="test_resnet", pretrained=str(weights), epochs=12, repeats=1, augmentation_strength=0.3,
            stored_features=stored, **QUIET_CPU,
        )  # fmt: skip
        material = prepare(dataset, fixed)
        scores[stored] = [
            max(record.score for record in trained(PROBE, fixed, material, seed)[1]) for seed in range(seeds)
        ]
    error = (stdev(scores[True]) ** 2 / seeds + stdev(scores[False]) ** 2 / seeds) ** 0.5
    assert abs(fmean(scores[True]) - fmean(scores[False])) < max(3 * error, 0.02), scores
    assert {path.name for path in cache_folder().glob("features/*/*.npy")} == {
        "val.npy", f"train-1-of-{LEVELS}.npy", f"train-2-of-{LEVELS}.npy"
    }  # fmt: skip


def test_views_are_drawn_from_the_strengths_on_either_side_so_that_their_mean_is_right(fixed, material):
    fixed = fixed.model_copy(update={"augmentation_strength": 0.3})
    trainable, _ = trained(PROBE, fixed, material)
    course = trainable.parts.course(0.0, True)
    assert isinstance(course, OnFeatures)
    torch.manual_seed(0)
    row = torch.zeros(4000, dtype=torch.long)
    from trainables.instruments import Laps

    drawn, _ = course.batch(row, Laps(torch.device("cpu")))
    upper = course.features.level(2)[:: len(material.train)]
    share = (drawn[:, None] == upper).all(2).any(1).float().mean()
    assert float(share) == pytest.approx(0.2, abs=0.02)  # 0.3 lies a fifth of the way from 1/4 to 2/4
    assert len(drawn.unique(dim=0)) == 2 * views_of(len(material.train))


def test_a_trial_keeps_the_weights_of_its_classifier_until_others_learn_too(fixed, material, tmp_path):
    trainable, _ = trained(PROBE, fixed, material)
    state = trainable.state_dict()
    assert set(state["model"]) == set(state["best"]["weights"]) == {"fc.weight", "fc.bias"}
    assert set(trainable.best_weights) == set(trainable.model.state_dict())
    checkpoint.save(tmp_path / "best.pt", state["best"])
    kept = checkpoint.load(tmp_path / "best.pt")["weights"]
    images = quadrants(40, 1, 2)
    names = ("left", "right")
    assert open_test(images, names, kept, PROBE, fixed, 0, material) == open_test(
        images, names, trainable.best_weights, PROBE, fixed, 0, material
    )
    with pytest.raises(ValueError, match="the weights must be those of the trial's network"):
        open_test(images, names, {"other": torch.zeros(1)}, PROBE, fixed, 0, material)
    trainable, _ = trained(GRADUAL, fixed, material)
    assert set(trainable.state_dict()["model"]) == set(trainable.model.state_dict())


@pytest.mark.parametrize("params", [PROBE, GRADUAL], ids=["probe", "gradual"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_resumed_trial_equals_an_uninterrupted_one(params, at, fixed, material, tmp_path):
    fixed = fixed.model_copy(update={"augmentation_strength": 0.6})
    whole, records = trained(params, fixed, material)
    first = from_params(params, fixed, 0, material)
    epochs = first.epochs()
    begun = [next(epochs) for _ in range(at)]
    checkpoint.save(tmp_path / "last.pt", first.state_dict())
    second = from_params(params, fixed, 0, material)
    second.load_state_dict(checkpoint.load(tmp_path / "last.pt"))
    resumed = [*begun, *second.epochs()]
    assert [figures(record) for record in resumed] == [figures(record) for record in records]
    for name, tensor in whole.best_weights.items():
        assert torch.equal(tensor, second.best_weights[name]), name


def test_the_best_epoch_of_a_probe_keeps_the_network_that_it_had(fixed, material):
    """The classifier alone may have been best; what learns afterwards must not change what it stood on."""
    fixed = fixed.model_copy(update={"epochs": 6})
    wild = {**LPFT, "strategy.probe_then_finetune.lr": 3.0, "optimizer": "sgd"}
    trainable = from_params(wild, fixed, 0, material)
    epochs = trainable.epochs()
    for _ in range(3):  # of the classifier alone
        next(epochs)
    best_epoch, trainable.best_score = trainable.best_epoch, 1.0  # whatever chance gives: none is better
    with suppress(ArithmeticError):
        for _ in epochs:
            pass
    assert trainable.best_epoch == best_epoch
    assert not torch.equal(
        trainable.model.conv1[0].weight, as_tensor(np.array(material.weights["conv1.0.weight"]))
    )
    best = trainable.best_weights
    for name, array in material.weights.items():
        if not name.startswith("fc.") and not name.endswith("num_batches_tracked"):
            assert torch.equal(best[name], as_tensor(np.array(array))), name


@pytest.mark.parametrize(
    "more",
    [{"mixing": "mixup"}, {"transfer": "delta"}, {"batchnorm": "re_estimated"}, {"stored_features": False}],
    ids=str,
)
def test_what_cannot_be_stored_is_computed(more, fixed, material):
    trainable = from_params(PROBE, fixed.model_copy(update=more), 0, material)
    next(trainable.epochs())
    assert not list(cache_folder().glob("features/*/*.npy"))
    assert set(trainable.state_dict()["model"]) == set(trainable.model.state_dict())


@pytest.mark.parametrize("change", ["image", "weights", "network"])
def test_other_images_or_weights_have_features_of_their_own(change, fixed, material, weights, tmp_path):
    trained(PROBE, fixed, material)
    before = set(cache_folder().glob("features/*"))
    dataset = small_dataset()
    if change == "image":
        dataset.train.pixels[0, 0, 0] ^= 1
    elif change == "weights":
        from safetensors.torch import load_file, save_file

        state = load_file(weights)
        state["conv1.0.weight" if "conv1.0.weight" in state else next(iter(state))] += 0.01
        save_file(state, tmp_path / "other.safetensors")
        fixed = fixed.model_copy(update={"pretrained": str(tmp_path / "other.safetensors")})
    else:
        fixed = fixed.model_copy(update={"model_args": {"act_layer": "silu"}})
    trained(PROBE, fixed, prepare(dataset, fixed))
    assert len(set(cache_folder().glob("features/*")) - before) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "serves"),
    [
        ("test_resnet", {}, True), ("test_vit", {"img_size": 32}, True), ("test_efficientnet", {}, True),
        ("test_convnext", {}, True), ("mobilenetv3_small_050", {}, True), ("vgg11", {}, True),
        ("deit_tiny_distilled_patch16_224", {"img_size": 32}, False), ("densenet121", {}, True),
    ],
)  # fmt: skip
def test_it_is_tried_on_each_network_whether_it_is_its_classifier_on_features(name, arguments, serves):
    from trainables.models.backbone import Backbone

    torch.manual_seed(0)
    model = make_network(Backbone(name, name, arguments), None, classes=7, channels=3, dropout=0.3)
    modes = [module.training for module in model.modules()]
    size = 64 if name == "vgg11" else 32
    numbers = features_an_image(model, torch.rand(2, 3, size, size), Precision("fp32", torch.device("cpu")))
    assert (numbers > 0) is serves
    assert [module.training for module in model.modules()] == modes


def test_a_file_is_whole_or_not_there_and_others_wait_for_it(tmp_path):
    store = FeatureStore(("some",), tmp_path)
    parts = [torch.arange(6.0).view(3, 2), torch.arange(4.0).view(2, 2)]
    with pytest.raises(RuntimeError, match="broken"):
        store.get("one", 5, lambda: (part if index == 0 else broken() for index, part in enumerate(parts)))
    assert not list(tmp_path.rglob("*.npy*"))
    with pytest.raises(ValueError, match="of 6 images must be computed"):
        store.get("one", 6, lambda: parts)
    assert not list(tmp_path.rglob("*.npy*"))
    assert torch.equal(store.get("one", 5, lambda: parts), torch.cat(parts))
    assert torch.equal(store.get("one", 5, broken), torch.cat(parts))


def test_features_that_were_asked_for_longest_ago_make_room(tmp_path):
    def get(name: str, compute=lambda: [torch.zeros(100, 10)]) -> None:
        FeatureStore((name,), tmp_path).get("one", 100, compute)

    def there() -> set[str]:
        return {path.parent.name for path in tmp_path.rglob("one.npy")}

    folders = {}
    for age, name in enumerate(("old", "older", "asked for again"), start=1):
        before = there()
        get(name)
        folders[name] = (there() - before).pop()
        os.utime(tmp_path / folders[name], (1e9 - age, 1e9 - age))
    get("asked for again", broken)
    make_room(tmp_path, keep=tmp_path / "another", most=9_000)  # two of 4,128 bytes
    assert there() == {folders["old"], folders["asked for again"]}
    make_room(tmp_path, keep=tmp_path / folders["old"], most=1_000)
    assert there() == {folders["old"]}
    make_room(tmp_path, keep=tmp_path / folders["old"], most=1_000)
    get("old", broken)  # one study's stay, however large
    get("older")  # and what is gone is computed again
    assert there() == {folders["old"], folders["older"]}


@pytest.mark.parametrize("torn", [b"", b"no array", None], ids=["empty", "other", "short"])
def test_a_file_that_a_power_cut_left_torn_is_made_again(torn, tmp_path):
    store, parts = FeatureStore(("some",), tmp_path), [torch.arange(6.0).view(3, 2)]
    store.get("one", 3, lambda: parts)
    path = next(tmp_path.rglob("one.npy"))
    path.write_bytes(path.read_bytes()[:-8] if torn is None else torn)
    (path.parent / "one.npy.77.tmp").touch()  # of a process that was killed
    assert torch.equal(store.get("one", 3, lambda: parts), parts[0])
    assert torch.equal(store.get("one", 3, broken), parts[0])
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize(
    "change", [{"fit": "pad"}, {"interpolation": "nearest"}, {"window": (0.0, 100.0)}], ids=str
)
def test_pictures_that_are_decoded_otherwise_are_others(change, fixed):
    """A data set's fingerprint is of its files."""
    assert prepare(small_dataset(), fixed).key == prepare(small_dataset(), fixed).key
    assert (
        prepare(small_dataset(), fixed).key != prepare(small_dataset(), fixed.model_copy(update=change)).key
    )


def test_where_nothing_can_be_written_they_are_in_memory(fixed, material, tmp_path, monkeypatch):
    """As on a full disk, or in somebody else's folder: here the cache's place is a file."""
    stored = trained(PROBE, fixed, material)[1]
    (tmp_path / "file").touch()
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "file"))
    assert [figures(record) for record in trained(PROBE, fixed, material)[1]] == [
        figures(record) for record in stored
    ]


def broken():
    raise RuntimeError("broken")
