import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from spaces import InputError
from trainables.losses import weighted_mean
from trainables.parts import PARTS, PartConfig

COUNTS = torch.tensor([50, 5, 20, 1])
LOSSES = list(PARTS["loss"])


def losses(name, smoothing=0.0, **options):
    return PartConfig("loss", name, options).make().make(COUNTS, smoothing)


def loss(name, smoothing=0.0, **options):
    """The plain mean over images."""
    return lambda logits, targets: losses(name, smoothing, **options)(logits, targets).mean()


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
def test_focal_without_focus_is_cross_entropy(seed, smoothing):
    logits, targets = batch(7, seed)
    expected = loss("cross_entropy", smoothing)(logits, targets)
    assert torch.allclose(loss("focal", smoothing, gamma=0.0)(logits, targets), expected, atol=1e-5)


def test_focal_by_hand():
    """p = 0.9 and p = 0.6 for the right class, γ = 2."""
    logits = torch.tensor([[0.9, 0.1], [0.4, 0.6]]).log()
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    by_hand = -(0.1**2 * math.log(0.9) + 0.4**2 * math.log(0.6)) / 2
    assert float(loss("focal", gamma=2.0)(logits, targets)) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_an_image_is_its_own(name):
    logits, targets = batch(6, 3)
    each = losses(name, 0.1)(logits, targets)
    alone = [losses(name, 0.1)(logits[i : i + 1], targets[i : i + 1]) for i in range(6)]
    assert each.shape == (6,)
    assert torch.allclose(each, torch.cat(alone))


def test_a_loss_that_gives_a_mean_is_refused():
    criterion = weighted_mean(functional.cross_entropy, torch.ones(4))
    with pytest.raises(InputError, match=r"must give one value an image, \[9\], but got \[\]"):
        criterion(*batch(9, 0))


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
    grid = torch.linspace(0.01, 0.99, 99)
    values = [float(loss(name)(torch.stack([p, 1 - p])[None].log(), targets)) for p in grid]
    best = float(grid[values.index(min(values))])
    assert 0.5 < best <= 0.71
