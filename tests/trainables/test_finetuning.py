import copy
from typing import Any

import pytest
import torch

from spaces import InputError, InvalidParams
from tests.conftest import is_clock
from trainables import checkpoint
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.protocol import Diverged, EpochRecord, Trainable

FULL = {"strategy": "full", "strategy.full.lr": 3e-3}
METRICS = {
    "train/loss", "train/accuracy", "val/loss", "val/accuracy", "val/ece", "train/grad_norm", "lr",
    "images_per_second", "epoch_seconds",
}  # fmt: skip

RECIPES = {
    "full": FULL,
    "probe": {"strategy": "feature_extraction", "strategy.feature_extraction.lr": 1e-2},
    "decay": {"strategy": "layer_decay", "strategy.layer_decay.lr": 3e-3, "strategy.layer_decay.ratio": 0.1},
    "gradual": {
        "strategy": "gradual_unfreezing",
        "strategy.gradual_unfreezing.lr": 3e-3,
        "strategy.gradual_unfreezing.ratio": 0.3,
        "strategy.gradual_unfreezing.unfrozen_by": 0.6,
    },
    "everything": {
        **FULL, "dropout": 0.2, "drop_path": 0.1, "augmentation_strength": 0.5, "label_smoothing": 0.1,
        "ema_decay": 0.9, "weight_decay": 0.05, "optimizer": "sgd",
    },
}  # fmt: skip


def in_each(*precisions: str) -> list[Any]:
    """All recipes in each arithmetic; those that a processor has to emulate are slow, and one of them is for always."""
    return [
        pytest.param(
            precision, name, marks=[] if precision == "fp32" or name == "gradual" else pytest.mark.slow
        )
        for precision in precisions
        for name in RECIPES
    ]


def trained(params, fixed, material, seed=0):
    trainable = from_params(params, fixed, seed, material)
    return trainable, list(trainable.epochs())


def numbers(record: EpochRecord) -> dict[str, float]:
    return {name: value for name, value in record.metrics.items() if not is_clock(name)}


def test_it_learns_and_reports_what_the_contract_names(fixed, material):
    trainable, records = trained(FULL, fixed, material)
    assert isinstance(trainable, Trainable)
    assert [record.epoch for record in records] == [1, 2, 3, 4]
    assert set(records[0].metrics) >= METRICS
    assert records[-1].metrics["train/loss"] < records[0].metrics["train/loss"]
    assert trainable.best_score == max(record.score for record in records) > 0.5


@pytest.mark.parametrize(("precision", "name"), in_each("fp32", "bf16", "fp16"))
def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(name, precision, fixed, material):
    fixed = fixed.model_copy(update={"precision": precision, "epochs": 2})
    once, again = (list(map(numbers, trained(RECIPES[name], fixed, material)[1])) for _ in range(2))
    assert once == again
    assert once != list(map(numbers, trained(RECIPES[name], fixed, material, seed=1)[1]))


@pytest.mark.parametrize(("precision", "name"), in_each("fp32", "fp16"))
def test_a_resumed_run_equals_an_uninterrupted_one(name, precision, fixed, material, tmp_path):
    fixed = fixed.model_copy(update={"precision": precision})
    whole, records = trained(RECIPES[name], fixed, material)
    first = from_params(RECIPES[name], fixed, 0, material)
    epochs = first.epochs()
    begun = [next(epochs), next(epochs)]
    checkpoint.save(tmp_path / "last.pt", first.state_dict())
    torch.manual_seed(99)  # the process that resumes has other random numbers behind it
    second = from_params(RECIPES[name], fixed, 0, material)
    second.load_state_dict(checkpoint.load(tmp_path / "last.pt"))
    resumed = begun + list(second.epochs())
    assert list(map(numbers, resumed)) == list(map(numbers, records))
    assert second.best_epoch == whole.best_epoch
    for key, tensor in whole.best_weights.items():
        assert torch.equal(tensor, second.best_weights[key]), key


def test_a_split_batch_gives_the_gradient_of_the_whole_one(fixed, material):
    # BatchNorm sees micro-batches, so the comparison needs a network without: a ViT.
    fixed = fixed.model_copy(update={"model": "test_vit", "epochs": 2, "model_args": {"img_size": 32}})
    from tests.conftest import small_dataset
    from trainables.material import prepare

    material = prepare(small_dataset(), fixed.model_copy(update={"image_size": 32}))
    params = {**FULL, "augmentation_strength": 0.0}
    whole = trained(params, fixed, material)[1]
    split = trained(params, fixed.model_copy(update={"micro_batch": 4}), material)[1]
    for one, other in zip(whole, split, strict=True):
        assert other.metrics["train/loss"] == pytest.approx(one.metrics["train/loss"], rel=1e-4)
        assert other.metrics["val/loss"] == pytest.approx(one.metrics["val/loss"], rel=1e-3)


@pytest.mark.parametrize(("precision", "tolerance", "along"), [("bf16", 5e-3, 0.95), ("fp16", 1e-3, 0.995)])
def test_mixed_precision_gives_the_loss_and_gradients_of_fp32(precision, tolerance, along, fixed, material):
    """One batch through the same weights. bf16 keeps 8 bits of a number, fp16 11; BatchNorm adds to it."""

    def loss_and_gradients(kind: str):
        trainable = from_params(FULL, fixed.model_copy(update={"precision": kind}), 0, material)
        trainable.model.train()
        images, labels = trainable.train.take(torch.arange(16))
        loss, _ = trainable.gradients(trainable.normalise(images), torch.eye(4)[labels])
        scale = trainable.scaler.get_scale() if trainable.scaler.is_enabled() else 1.0
        return float(loss), torch.cat([p.grad.flatten() / scale for p in trainable.model.parameters()])

    loss, gradients = loss_and_gradients("fp32")
    mixed, mixed_gradients = loss_and_gradients(precision)
    assert mixed == pytest.approx(loss, rel=tolerance)
    assert torch.cosine_similarity(mixed_gradients, gradients, dim=0) > along


@pytest.mark.parametrize("precision", [pytest.param("bf16", marks=pytest.mark.slow), "fp16"])
def test_mixed_precision_learns_as_fp32_does(precision, fixed, material):
    """Within a tenth at the end; fp16 skips its first steps, until the loss scale has come down."""
    losses, skipped = {}, {}
    for kind in ("fp32", precision):
        records = trained(FULL, fixed.model_copy(update={"precision": kind, "epochs": 4}), material)[1]
        losses[kind] = records[-1].metrics["train/loss"]
        skipped[kind] = sum(record.metrics["train/skipped_steps"] for record in records)
    assert losses[precision] == pytest.approx(losses["fp32"], rel=0.1)
    assert skipped["fp32"] == 0


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_loss_that_is_not_finite_is_a_divergence(precision, fixed, material):
    params = {**FULL, "strategy.full.lr": 1e30, "optimizer": "sgd", "weight_decay": 0.0}
    fixed = fixed.model_copy(update={"precision": precision, "warmup_epochs": 0.0, "clipping": "none"})
    with pytest.raises(Diverged) as caught:
        trained(params, fixed, material)
    assert caught.value.epoch >= 1
    assert "diverged" in str(caught.value)
    assert str(copy.copy(caught.value)) == str(caught.value)


def test_gradients_are_clipped_to_the_norm(fixed, material):
    trainable = from_params(
        FULL, fixed.model_copy(update={"options": {"clipping.norm.max": 1e-3}}), 0, material
    )
    next(trainable.epochs())
    norm = torch.linalg.vector_norm(
        torch.stack([p.grad.norm() for p in trainable.model.parameters() if p.grad is not None])
    )
    assert float(norm) <= 1e-3 * 1.01


def test_frozen_weights_do_not_move_and_learning_ones_do(fixed, material):
    trainable = from_params(RECIPES["probe"], fixed, 0, material)
    before = {key: value.clone() for key, value in trainable.model.state_dict().items()}
    next(trainable.epochs())
    moved = {
        key for key, value in trainable.model.state_dict().items() if not torch.equal(value, before[key])
    }
    assert moved == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({**FULL, "learning_rate": 0.1}, "learning_rate"),
        ({**FULL, "dropout": 1.5}, "dropout"),
        ({**FULL, "batch_size": 500}, "48 training images"),
        ({**FULL, "strategy.layer_decay.ratio": 0.5}, "must not be given"),
        ({"strategy": "full"}, "lr"),
        ({"dropout": 0.1}, "strategy"),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_refused(params, words, fixed, material):
    with pytest.raises(InvalidParams, match=words):
        from_params(params, fixed, 0, material)


def test_a_model_that_cannot_take_a_knob_is_named_with_it(fixed, material):
    from tests.conftest import small_dataset
    from trainables.material import prepare

    fixed = fixed.model_copy(update={"model": "densenet121"})
    material = prepare(small_dataset(), fixed)
    with pytest.raises(InputError, match="'densenet121' cannot take 'drop_path'"):
        from_params({**FULL, "drop_path": 0.1}, fixed, 0, material)


def test_a_warm_up_as_long_as_the_budget_is_refused():
    with pytest.raises(ValueError, match="warmup_epochs < epochs"):
        Fixed(epochs=2, warmup_epochs=2)
