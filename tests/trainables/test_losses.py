import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from trainables.losses.class_balanced import ClassBalanced
from trainables.parts import PARTS, PartConfig

COUNTS = torch.tensor([50, 5, 20, 1])
LOSSES = list(PARTS["loss"])


def loss(name, smoothing=0.0, counts=COUNTS, **options):
    return PartConfig("loss", name, options).make().make(counts, smoothing)


def batch(size: int, seed: int, soft: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, 4, generator=rng)
    if soft:
        return logits, torch.rand(size, 4, generator=rng).softmax(1)
    return logits, torch.eye(4)[torch.randint(4, (size,), generator=rng)]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_cross_entropy_is_torchs_with_hard_labels(smoothing):
    logits, targets = batch(9, 0, soft=False)
    expected = functional.cross_entropy(logits, targets.argmax(1), label_smoothing=smoothing)
    assert torch.allclose(loss("cross_entropy", smoothing)(logits, targets), expected)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), smoothing=st.floats(0, 0.9))
def test_focal_without_focus_and_balance_without_weights_are_cross_entropy(seed, smoothing):
    logits, targets = batch(7, seed)
    expected = loss("cross_entropy", smoothing)(logits, targets)
    assert torch.allclose(loss("focal", smoothing, gamma=0.0)(logits, targets), expected, atol=1e-5)
    assert torch.allclose(loss("class_balanced", smoothing, beta=0.0)(logits, targets), expected, atol=1e-5)


def test_focal_by_hand():
    """p = 0.9 and p = 0.6 for the right class, γ = 2."""
    logits = torch.tensor([[0.9, 0.1], [0.4, 0.6]]).log()
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    by_hand = -(0.1**2 * math.log(0.9) + 0.4**2 * math.log(0.6)) / 2
    assert float(loss("focal", gamma=2.0)(logits, targets)) == pytest.approx(by_hand, rel=1e-5)


def test_class_balanced_weights_by_hand():
    """β = 0.9: effective numbers 10·(1 − 0.9^n) for n = 1 and 2, scaled to a mean of 1 over the three images."""
    weights = ClassBalanced(beta=0.9).weights(torch.tensor([1, 2]))
    raw = [1 / 1.0, 1 / 1.9]
    mean = (raw[0] + 2 * raw[1]) / 3
    assert weights.tolist() == pytest.approx([raw[0] / mean, raw[1] / mean])
    rare = ClassBalanced(beta=0.999).weights(COUNTS)
    assert rare.argsort().tolist() == [0, 2, 1, 3]  # the fewer images, the more weight
    assert float((rare * COUNTS).sum() / COUNTS.sum()) == pytest.approx(1.0)
    empty = ClassBalanced().weights(torch.tensor([3, 0]))
    assert torch.isfinite(empty).all()


def test_an_image_of_a_rare_class_counts_more():
    logits = torch.zeros(1, 4)
    rare, common = torch.eye(4)[[3]], torch.eye(4)[[0]]
    balanced = loss("class_balanced")
    assert balanced(logits, rare) > 2 * balanced(logits, common)


@pytest.mark.parametrize("name", LOSSES)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_the_parts_of_a_batch_add_up_to_the_batch(name, seed, sizes):
    logits, targets = batch(sum(sizes), seed)
    criterion = loss(name, 0.1)
    parts = sum(
        criterion(part, wanted) * (len(part) / len(logits))
        for part, wanted in zip(logits.split(sizes), targets.split(sizes), strict=True)
    )
    assert torch.allclose(criterion(logits, targets), parts, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, {}) for name in LOSSES] + [("focal", {"gamma": gamma}) for gamma in (0.0, 0.3, 1.0, 10.0)],
)
@pytest.mark.parametrize("size", [200.0, -200.0, 1e4, -1e4])
def test_gradients_are_finite_where_the_network_is_certain(name, options, size):
    logits = (size * torch.eye(4)).requires_grad_(True)
    value = loss(name, 0.1, **options)(logits, torch.eye(4))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_mixed_label_has_its_minimum_at_the_mixture_or_between(name):
    targets = torch.tensor([[0.7, 0.3]])
    counts = torch.tensor([4, 4])
    grid = torch.linspace(0.01, 0.99, 99)
    values = [float(loss(name, counts=counts)(torch.stack([p, 1 - p])[None].log(), targets)) for p in grid]
    best = float(grid[values.index(min(values))])
    assert 0.5 < best <= 0.71
