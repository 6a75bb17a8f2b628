"""Weights of classes: their size, and that they scale the loss of each image whatever the loss and the batch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from tests.conftest import QUIET_CPU, quadrants, small_dataset
from trainables.builder import from_params
from trainables.class_weights import scaled
from trainables.config import Fixed
from trainables.data import Dataset, Images
from trainables.losses import weighted_mean
from trainables.material import prepare
from trainables.parts import PARTS, Part, PartConfig

FULL = {"strategy": "full", "strategy.full.lr": 1e-3}
CHOICES = list(PARTS["class_weights"])
COUNTS = (24, 3, 12, 6)

counts_of_classes = st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any)
options = st.one_of(
    st.just(("none", {})),
    st.floats(0, 1).map(lambda power: ("inverse", {"power": power})),
    st.floats(0, 1, exclude_max=True).map(lambda beta: ("effective", {"beta": beta})),
)


class OnlyTheFirst(Part):
    """Weights of a user's own, in a unit of their own."""

    def weights(self, class_counts):
        return 7.0 * (torch.arange(len(class_counts)) == 0)


def weights(name, counts=COUNTS, **options) -> torch.Tensor:
    return scaled(PartConfig("class_weights", name, options).make(), torch.tensor(counts))


def batch(size: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(size, 4, generator=rng), torch.rand(size, 4, generator=rng).softmax(1)


# --- their size ----------------------------------------------------------------------------------------


@given(counts=counts_of_classes, chosen=options)
def test_the_mean_over_the_training_images_is_one(counts, chosen):
    name, given_options = chosen
    found = weights(name, counts, **given_options)
    sizes = torch.tensor(counts)
    assert torch.isfinite(found).all()
    assert float((found.double() * sizes).sum() / sizes.sum()) == pytest.approx(1.0, rel=1e-5)
    assert (found[sizes == 0] == 0).all()
    assert (found[sizes > 0] > 0).all()
    by_size = found[sizes.argsort()][sizes.sort().values > 0]
    assert (by_size.diff() <= 1e-6 * by_size[:-1]).all()  # the fewer images, the more weight


def test_inverse_by_hand():
    """One over 1 and 4 images is 4 : 1; half the power 2 : 1."""
    assert weights("inverse", (1, 4)).tolist() == pytest.approx([2.5, 0.625])
    assert weights("inverse", (1, 4), power=0.5).tolist() == pytest.approx([10 / 6, 5 / 6])
    whole = weights("inverse") * torch.tensor(COUNTS)
    assert whole.tolist() == pytest.approx([sum(COUNTS) / 4] * 4)


def test_effective_by_hand():
    """β = 0.9: effective numbers 10·(1 − 0.9^n), for n = 1 and 2 that is 1 and 1.9."""
    raw = [1 / 1.0, 1 / 1.9]
    mean = (raw[0] + 2 * raw[1]) / 3
    assert weights("effective", (1, 2), beta=0.9).tolist() == pytest.approx([raw[0] / mean, raw[1] / mean])


def test_where_weights_meet():
    assert weights("none").tolist() == [1.0] * 4
    assert weights("inverse", power=0.0).tolist() == weights("effective", beta=0.0).tolist() == [1.0] * 4
    nearly_one = weights("effective", beta=float(np.nextafter(1, 0)))
    assert torch.allclose(nearly_one, weights("inverse"))


def test_weights_of_ones_own_are_scaled_too():
    assert weights(f"{__name__}:OnlyTheFirst").tolist() == [sum(COUNTS) / COUNTS[0], 0.0, 0.0, 0.0]


# --- what they do to a loss ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHOICES)
def test_cross_entropy_with_hard_labels_is_torchs_with_weights(name):
    logits, soft = batch(9, 0)
    labels = soft.argmax(1)
    losses = PartConfig("loss", "cross_entropy").make().make(torch.tensor(COUNTS), 0.0)
    expected = functional.cross_entropy(logits, labels, weight=weights(name), reduction="sum") / 9
    found = weighted_mean(losses, weights(name))(logits, torch.eye(4)[labels])
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("loss", PARTS["loss"])
def test_a_mixed_image_counts_by_its_shares_of_the_classes(loss, smoothing):
    logits, targets = batch(1, 1)
    losses = PartConfig("loss", loss).make().make(torch.tensor(COUNTS), smoothing)
    share = sum(float(t) * float(w) for t, w in zip(targets[0], weights("inverse"), strict=True))
    found = weighted_mean(losses, weights("inverse"))(logits, targets)
    assert float(found) == pytest.approx(share * float(losses(logits, targets)[0]), rel=1e-5)


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("loss", PARTS["loss"])
@given(seed=st.integers(0, 10**6), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_the_parts_of_a_batch_add_up_to_the_batch(loss, name, seed, sizes):
    logits, targets = batch(sum(sizes), seed)
    losses = PartConfig("loss", loss).make().make(torch.tensor(COUNTS), 0.1)
    criterion = weighted_mean(losses, weights(name))
    parts = sum(
        criterion(part, wanted) * (len(part) / len(logits))
        for part, wanted in zip(logits.split(sizes), targets.split(sizes), strict=True)
    )
    assert torch.allclose(criterion(logits, targets), parts, atol=1e-5)


# --- in the training core ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unequal():
    """A ViT, since BatchNorm would see the micro-batches; 45 images in classes of different sizes.

    The images are rows of shared pixels, so that a weight by the label of a pixel's row would be seen.
    """
    fixed = Fixed(
        model="test_vit", model_args={"img_size": 32}, image_size=32, pretrained=False, epochs=2,
        batch_size=15, warmup_epochs=0.0, **QUIET_CPU,
    )  # fmt: skip
    small, many = small_dataset(), quadrants(100, 1, 3)
    rows = np.concatenate([np.flatnonzero(many.labels == c)[-n:] for c, n in enumerate(COUNTS)])
    train = Images(many.pixels, many.labels[rows], rows)
    dataset = Dataset(small.name, small.classes, train, small.val, small.test, small.invariances)
    return fixed, prepare(dataset, fixed)


@pytest.mark.parametrize("micro", [1, 4, 15])
@pytest.mark.parametrize("name", CHOICES)
def test_the_gradient_is_that_of_the_whole_weighted_batch(name, micro, unequal):
    """Against plain torch: log-softmax of one pass over the whole batch, weighed image by image."""
    fixed, material = unequal
    trainable = from_params(
        {**FULL, "class_weights": name, "label_smoothing": 0.1},
        fixed.model_copy(update={"micro_batch": micro}),
        0,
        material,
    )
    trainable.model.train()
    images, labels = trainable.train.take(torch.arange(0, 45, 3))
    inputs = trainable.normalise(images)
    mixed = 0.7 * torch.eye(4)[labels] + 0.3 * torch.eye(4)[labels.roll(4)]
    trainable.gradients(inputs, mixed)
    found = torch.cat([p.grad.flatten() for p in trainable.model.parameters()])

    raw = {
        "none": np.ones(4),
        "inverse": 1 / np.array(COUNTS),
        "effective": 1e-3 / (1 - 0.999 ** np.array(COUNTS)),
    }[name]
    per_class = torch.tensor(raw / np.average(raw, weights=COUNTS), dtype=torch.float32)
    trainable.model.zero_grad()
    wanted = 0.9 * mixed + 0.1 / 4
    each = -(wanted * trainable.model(inputs).log_softmax(1)).sum(1)
    ((mixed @ per_class) * each).mean().backward()
    expected = torch.cat([p.grad.flatten() for p in trainable.model.parameters()])
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-6 * float(expected.abs().max()))


@pytest.mark.parametrize("loss", PARTS["loss"])
def test_each_choice_changes_a_training_with_each_loss(loss, unequal):
    fixed, material = unequal
    recipes = [{"class_weights": name} for name in CHOICES]
    recipes += [{"class_weights": "inverse", "class_weights.inverse.power": 0.5}]
    recipes += [{"class_weights": "effective", "class_weights.effective.beta": 0.9}]
    recipes += [{"sampling": "balanced"}, {"sampling": "balanced", "sampling.balanced.power": 0.5}]
    seen = set()
    for recipe in recipes:
        records = list(from_params({**FULL, "loss": loss, **recipe}, fixed, 0, material).epochs())
        seen.add(tuple(record.metrics["val/loss"] for record in records))
    assert len(seen) == len(recipes)
