import copy

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from tests.trainables.batchnorm.parts import bound, images, made, network, same, state
from trainables.batchnorm import norms_of, statistics_kept


def test_without_chance_it_is_batchnorm(model):
    twin = copy.deepcopy(model)
    bound("stochastic", twin, p=0.0)
    for _ in range(2):
        assert torch.equal(model(images(6)), twin(images(6)))
    assert same(state(model), state(twin))


def test_in_evaluation_it_is_batchnorm(model):
    twin = copy.deepcopy(model)
    bound("stochastic", twin, p=1.0)
    assert torch.equal(model.eval()(images(6)), twin.eval()(images(6)))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d, (16, 400)),
        (nn.BatchNorm1d, (8, 400, 3)),
        (nn.BatchNorm2d, (4, 400, 3, 3)),
        (nn.BatchNorm3d, (4, 400, 2, 2, 2)),
        (BatchNormAct2d, (4, 400, 3, 3)),
    ],
)
def test_each_channel_is_of_one_kind_or_the_other_and_gradients_are_its_own(layer, shape):
    torch.manual_seed(0)
    norm = layer(400)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    activation = nn.functional.relu if layer is BatchNormAct2d else lambda x: x
    fixed = (1, -1, *(1,) * (len(shape) - 2))
    bound("stochastic", nn.Sequential(norm), p=0.3)
    x = torch.randn(shape, requires_grad=True)
    out = norm(x)
    (gradient,) = torch.autograd.grad(out.square().sum(), x)

    axes = [axis for axis in range(len(shape)) if axis != 1]
    scale, shift = norm.weight.view(fixed), norm.bias.view(fixed)
    mean, var = norm.running_mean.view(fixed), norm.running_var.view(fixed)
    own_mean, own_var = x.mean(axes, keepdim=True), x.var(axes, unbiased=False, keepdim=True)
    running = activation((x - mean) / (var + norm.eps).sqrt() * scale + shift)
    batch = activation((x - own_mean) / (own_var + norm.eps).sqrt() * scale + shift)
    took = (out - running).abs().amax(axes) < (out - batch).abs().amax(axes)
    assert 0.2 < float(took.float().mean()) < 0.4
    wanted = torch.where(took.view(fixed), running, batch)
    torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-4)
    (reference,) = torch.autograd.grad(wanted.square().sum(), x)
    torch.testing.assert_close(gradient, reference, rtol=1e-3, atol=1e-3)


def test_statistics_move_as_ever(model):
    twin = copy.deepcopy(model)
    bound("stochastic", twin, p=1.0)
    first, other = norms_of(model)[0], norms_of(twin)[0]
    model(images(6))
    twin(images(6))
    assert torch.equal(first.running_mean, other.running_mean)
    assert torch.equal(first.running_var, other.running_var)


def test_a_draw_is_anew_at_each_step_and_repeats_under_a_seed(model):
    bound("stochastic", model)
    start = state(model)

    def steps(seed: int) -> list[torch.Tensor]:
        model.load_state_dict(start)
        torch.manual_seed(seed)
        return [model(images(6)).detach() for _ in range(2)]

    one, again, other = steps(1), steps(1), steps(2)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], other[0])
    model.load_state_dict(start)
    with statistics_kept(model):
        first = model(images(6))
    assert not torch.equal(first, model(images(6)))


def test_a_copy_draws_by_its_own_statistics(model):
    bound("stochastic", model, p=1.0)
    twin = copy.deepcopy(model)
    for norm in norms_of(twin):
        norm.running_mean += 1.0
    torch.manual_seed(0)
    mine = model(images(6))
    torch.manual_seed(0)
    assert not torch.equal(mine, twin(images(6)))


def test_binding_twice_is_binding_once(model):
    bound("stochastic", model, p=0.2)
    bound("stochastic", model, p=0.7)
    assert {len(norm._forward_hooks) for norm in norms_of(model)} == {1}
    twin = network("test_resnet" if hasattr(model, "conv1") else "test_efficientnet")
    bound("stochastic", twin, p=0.7)
    torch.manual_seed(5)
    mine = model(images(6))
    torch.manual_seed(5)
    assert torch.equal(mine, twin(images(6)))


def test_a_frozen_batchnorm_draws_nothing(model):
    bound("stochastic", model)
    part = made("frozen")
    part.on_epoch(model)
    before = torch.get_rng_state()
    model(images(4))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_works_in_mixed_precision(dtype, model):
    bound("stochastic", model)
    with torch.autocast("cpu", dtype=dtype):
        logits = model(images(6))
    logits.float().sum().backward()
    assert logits.dtype == dtype
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
