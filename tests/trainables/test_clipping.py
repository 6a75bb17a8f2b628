import pytest
import torch
from timm.utils.agc import adaptive_clip_grad
from torch import nn

from trainables.parts import PARTS, PartConfig


def gradients(size: float) -> list[nn.Parameter]:
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(5)), nn.Parameter(torch.ones(2))]
    for parameter in parameters[:2]:  # the last has none
        parameter.grad = size * torch.randn_like(parameter)
    return parameters


def norm(parameters) -> float:
    return float(torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]).norm())


def clip(name, parameters, **options):
    return PartConfig("clipping", name, options).make()(parameters)


@pytest.mark.parametrize("name", PARTS["clipping"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 100.0])
def test_the_norm_is_that_before_clipping(name, size):
    parameters = gradients(size)
    before = norm(parameters)
    assert float(clip(name, parameters)) == pytest.approx(before, rel=1e-5)
    assert norm(parameters) <= before * (1 + 1e-6)
    assert parameters[2].grad is None


@pytest.mark.parametrize("size", [1e-3, 100.0])
def test_none_leaves_and_norm_scales_and_value_cuts(size):
    whole, plain, scaled, cut, reference = (gradients(size) for _ in range(5))
    clip("none", plain)
    clip("norm", scaled, max=0.5)
    clip("value", cut, max=0.25)
    nn.utils.clip_grad_norm_(reference, 0.5)
    for index in range(2):
        grad = whole[index].grad
        assert torch.equal(plain[index].grad, grad)
        assert torch.allclose(scaled[index].grad, reference[index].grad)
        assert torch.equal(cut[index].grad, grad.clamp(-0.25, 0.25))


def test_adaptive_is_timms():
    ours, theirs = gradients(10.0), gradients(10.0)
    clip("adaptive", ours, factor=0.05)
    adaptive_clip_grad(theirs[:2], clip_factor=0.05)
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        assert torch.equal(one.grad, other.grad)
    assert norm(ours) < norm(gradients(10.0))


@pytest.mark.parametrize("name", PARTS["clipping"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_cannot_hide(name, bad):
    parameters = gradients(1.0)
    parameters[0].grad[0, 0] = bad
    assert not torch.isfinite(clip(name, parameters))
