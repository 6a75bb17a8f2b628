"""Every part of the core through one life cycle: build, three epochs, save, load, equal continuation.

What is tested is read from the table of parts itself, so that a new part is covered by being named there.
"""

import copy
from functools import cache

import pytest
import torch

from spaces import InputError
from tests.conftest import QUIET_CPU, is_clock, small_dataset
from trainables import checkpoint
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.material import Material, prepare
from trainables.models.network import make_network
from trainables.parts import PARTS
from trainables.protocol import EpochRecord, Trainable

MODELS = {"test_resnet": {}, "test_vit": {"img_size": 32}, "test_convnext": {}}
FULL = {"strategy": "full", "strategy.full.lr": 1e-3}
PARTS_OF_BATCHNORM = [("batchnorm", name) for name in PARTS["batchnorm"] if name != "as_built"]
CASES = [(kind, name) for kind, names in PARTS.items() for name in names]


@cache
def study(model: str, precision: str = "fp32") -> tuple[Material, Fixed]:
    """The small data set, and weights with a classifier of seven classes to start from."""
    fixed = Fixed(
        model=model, model_args=MODELS[model], pretrained=False, image_size=32, epochs=3, batch_size=16,
        augmentation_strength=0.5, **{**QUIET_CPU, "precision": precision},
    )  # fmt: skip
    material = prepare(small_dataset(), fixed)
    torch.manual_seed(0)
    pretrained = make_network(material.backbone, None, classes=7, channels=3)
    weights = {name: tensor.numpy() for name, tensor in pretrained.state_dict().items()}
    return Material(**{**vars(material), "weights": weights}), fixed


def numbers(record: EpochRecord) -> dict[str, object]:
    shown = {name: value for name, value in record.metrics.items() if not is_clock(name)}
    return {**shown, "score": record.score, "ended": record.ended, "report": dict(record.report)}


def life_cycle(params, model: str, folder, precision: str = "fp32") -> list[EpochRecord]:
    material, fixed = study(model, precision)
    whole = from_params(params, fixed, 0, material)
    assert isinstance(whole, Trainable)
    records = list(whole.epochs())
    assert [record.epoch for record in records] == [1, 2, 3]
    assert records[-1].report
    assert not any(record.report for record in records[:-1])

    begun = from_params(params, fixed, 0, material)
    first = next(begun.epochs())
    checkpoint.save(folder / "last.pt", begun.state_dict())
    torch.manual_seed(99)  # the process that resumes has other random numbers behind it
    resumed = from_params(params, fixed, 0, material)
    resumed.load_state_dict(copy.deepcopy(checkpoint.load(folder / "last.pt")))
    assert list(map(numbers, [first, *resumed.epochs()])) == list(map(numbers, records))
    assert set(whole.best_weights) == set(resumed.best_weights)
    for name, tensor in whole.best_weights.items():
        assert torch.equal(tensor, resumed.best_weights[name]), name
    return records


def recipe(kind: str, name: str) -> dict[str, object]:
    if kind == "strategy":
        return {"strategy": name, f"strategy.{name}.lr": 1e-3}
    return {**FULL, kind: name}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_each_part_lives_through_save_and_load(kind, name, model, tmp_path):
    if (kind, name) in PARTS_OF_BATCHNORM and model != "test_resnet":
        material, fixed = study(model)
        with pytest.raises(InputError, match=rf"(?s){model}.*batchnorm"):
            from_params(recipe(kind, name), fixed, 0, material)
        return
    records = life_cycle(recipe(kind, name), model, tmp_path)
    assert all(torch.isfinite(torch.tensor(record.metrics["train/loss"])) for record in records)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_each_precision_lives_through_save_and_load(precision, model, tmp_path):
    records = life_cycle({**FULL, "mixing": "cutmix"}, model, tmp_path, precision)
    assert ("train/loss_scale" in records[0].metrics) == (precision == "fp16")


EVERYTHING = {
    "batch_size": 12, "weight_decay": 0.05, "l1": 1e-5, "dropout": 0.2, "drop_path": 0.1,
    "label_smoothing": 0.1, "augmentation_strength": 0.8, "warmup_epochs": 0.5, "warmup_start": 0.1,
    "ema_decay": 0.9, "optimizer": "lamb", "schedule": "one_cycle", "loss": "focal",
    "augmentation": "rand_augment", "curriculum": "linear", "mixing": "mixup_or_cutmix",
    "clipping": "adaptive", "sharpness": "sam", "transfer": "l2_sp", "stopping": "patience",
    "strategy": "gradual_unfreezing", "strategy.gradual_unfreezing.lr": 1e-3,
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_everything_at_once_lives_through_save_and_load(precision, model, tmp_path):
    life_cycle(EVERYTHING, model, tmp_path, precision)


def test_a_recipe_that_ends_itself_says_why_and_reports(tmp_path):
    material, fixed = study("test_resnet")
    fixed = fixed.model_copy(update={"epochs": 12})
    params = {
        **FULL, "strategy.full.lr": 0.0, "stopping": "patience", "stopping.patience.epochs": 2,
        "augmentation_strength": 0.0,
    }  # fmt: skip
    records = list(from_params(params, fixed, 0, material).epochs())
    assert 3 <= len(records) < 12
    assert records[-1].ended
    assert records[-1].report
    assert not any(record.ended for record in records[:-1])


def test_a_training_that_ended_itself_does_not_go_on_when_it_is_loaded():
    material, fixed = study("test_resnet")
    fixed = fixed.model_copy(update={"epochs": 12})
    params = {**FULL, "strategy.full.lr": 0.0, "stopping": "patience", "stopping.patience.epochs": 2}
    ended = from_params(params, fixed, 0, material)
    assert len(list(ended.epochs())) < 12
    loaded = from_params(params, fixed, 0, material)
    loaded.load_state_dict(ended.state_dict())
    assert list(loaded.epochs()) == []
