import pytest
import torch
from torch import nn
from torch.nn import functional

from trainables.soundness.flatness import flatness


class Bowl(nn.Module):
    """A loss of c · |w − w₀|² / 2 + g · w, of known rises."""

    def __init__(self, curvature: float, slope: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
        self.centre, self.curvature, self.slope = self.weight.detach().clone(), curvature, slope

    def loss(self) -> torch.Tensor:
        return (
            self.curvature * (self.weight - self.centre).square().sum() / 2 + self.slope * self.weight.sum()
        )


@pytest.mark.parametrize("curvature", [0.5, 4.0])
def test_the_rise_of_a_bowl_is_its_curvature_times_the_filters_lengths(curvature):
    bowl = Bowl(curvature)
    found = flatness(bowl, bowl.loss, seed=0, radius=0.1, directions=3)
    # Filters of lengths 5 and 2, each moved by a tenth of that.
    assert found.rises == pytest.approx([curvature * 0.01 * (25 + 4) / 2] * 3, rel=1e-4)
    assert found.mean_rise == pytest.approx(found.rises[0], rel=1e-4)
    assert found.worst_rise == 0  # at the bottom there is no way up


def test_the_worst_is_a_step_of_rho_up_the_gradient():
    plane = Bowl(0.0, slope=2.0)
    found = flatness(plane, plane.loss, seed=0, rho=0.05)
    assert found.loss == pytest.approx(18)
    assert found.worst_rise == pytest.approx(0.05 * 2 * 4**0.5, rel=1e-3)  # the gradient is (2, 2, 2, 2)


def network() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
        )
        return model, torch.randn(16, 1, 8, 8), torch.arange(16) % 3


@pytest.mark.parametrize("training", [False, True])
def test_everything_is_to_the_bit_as_it_was(training):
    model, images, labels = network()
    model.train(training)
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flatness(model, lambda: functional.cross_entropy(model(images), labels), seed=1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(model[0].weight.grad, torch.ones_like(model[0].weight))
    assert model[4].weight.grad is None
    assert model.training == training


def test_everything_is_as_it_was_after_a_loss_that_breaks():
    model, images, labels = network()
    before, calls = {name: value.clone() for name, value in model.state_dict().items()}, []

    def loss():
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("out of memory")
        return functional.cross_entropy(model(images), labels)

    with pytest.raises(RuntimeError, match="out of memory"):
        flatness(model, loss, seed=1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_directions_follow_from_the_seed():
    model, images, labels = network()
    model.eval()
    first, again, other = (
        flatness(model, lambda: functional.cross_entropy(model(images), labels), seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.rises != other.rises
    assert first.worst_rise == other.worst_rise > 0
    assert len(set(first.rises)) == 8


def test_scaling_weights_before_a_norm_does_not_make_the_loss_look_flatter():
    model, images, labels = network()
    model.train()
    rises = []
    for scale in (1, 16):
        with torch.no_grad():
            model[0].weight.mul_(scale)
        found = flatness(model, lambda: functional.cross_entropy(model(images), labels), seed=1)
        rises.append(found.mean_rise)
    assert rises[0] == pytest.approx(rises[1], rel=0.02)


def test_numbers_are_above_0_and_the_loss_is_finite():
    bowl = Bowl(1.0)
    for name in ("radius", "rho", "directions"):
        with pytest.raises(ValueError, match=f"{name} must be above 0, but got 0"):
            flatness(bowl, bowl.loss, seed=0, **{name: 0})
    with pytest.raises(ValueError, match="the loss must be finite at the weights themselves, but got nan"):
        flatness(bowl, lambda: bowl.weight.sum() * torch.nan, seed=0)


def test_frozen_weights_stay_in_place():
    model, images, labels = network()
    model.eval()
    for parameter in model[:2].parameters():
        parameter.requires_grad = False
    whole = flatness(model, lambda: functional.cross_entropy(model(images), labels), seed=1)
    seen = []

    def loss():
        seen.append(model[0].weight.detach().clone())
        return functional.cross_entropy(model(images), labels)

    assert flatness(model, loss, seed=1) == whole
    assert all(torch.equal(one, seen[0]) for one in seen)


def test_something_is_trained():
    bowl = Bowl(1.0)
    bowl.weight.requires_grad = False
    with pytest.raises(ValueError, match="weights that are trained, but all of them are frozen"):
        flatness(bowl, bowl.loss, seed=0)
