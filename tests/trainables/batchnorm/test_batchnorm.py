import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from spaces import InputError, InvalidParams
from tests.trainables.batchnorm.parts import WITH, WITHOUT, bound, images, made, network, same, state
from trainables.batchnorm import norms_of
from trainables.parts import PARTS, PartConfig
from trainables.strategies import make_strategy

CHANGES = [name for name in PARTS["batchnorm"] if name != "as_built"]


@pytest.mark.parametrize("architecture", WITHOUT)
@pytest.mark.parametrize("name", CHANGES)
def test_a_model_without_batchnorm_is_refused_by_name(name, architecture):
    with pytest.raises(InputError) as error:
        made(name).bind(network(architecture), architecture)
    assert str(error.value) == (
        f"model {architecture!r} has no BatchNorm, so it cannot take 'batchnorm={name}': set batchnorm=as_built"
    )


@pytest.mark.parametrize("architecture", [*WITH, *WITHOUT])
def test_as_built_takes_any_model_and_changes_nothing(architecture):
    model = network(architecture)
    before = state(model)
    part = bound("as_built", model)
    part.prepare(model, lambda: iter([images(4)]))
    part.on_epoch(model)
    assert same(before, state(model))
    assert all(module.training for module in model.modules())


def test_all_kinds_of_batchnorm_count_and_no_other_norm():
    kinds = [
        nn.BatchNorm1d(2),
        nn.BatchNorm2d(2),
        nn.BatchNorm3d(2),
        nn.SyncBatchNorm(2),
        BatchNormAct2d(2),
    ]
    others = [nn.LayerNorm(2), nn.GroupNorm(1, 2), nn.InstanceNorm2d(2, track_running_stats=True)]
    without = nn.BatchNorm2d(2, track_running_stats=False)
    assert norms_of(nn.Sequential(*others, *kinds, without)) == kinds


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("momentum", {"momentum": 0.0}, "`momentum > 0` must hold"),
        ("momentum", {"momentum": 1.1}, "`momentum <= 1` must hold"),
        ("stochastic", {"p": -0.1}, "`p >= 0` must hold"),
        ("stochastic", {"p": 1.5}, "`p <= 1` must hold"),
        ("frozen", {"p": 0.5}, "'frozen' has no option 'p'"),
    ],
)
def test_options_have_laws(name, options, words):
    with pytest.raises(InvalidParams, match=words):
        made(name, **options)


@pytest.mark.parametrize("name", CHANGES)
def test_names_and_shapes_of_weights_stay(name, model):
    before = {key: tensor.shape for key, tensor in model.state_dict().items()}
    part = bound(name, model)
    part.prepare(model, lambda: iter([images(4)]))
    part.on_epoch(model)
    assert {key: tensor.shape for key, tensor in model.state_dict().items()} == before


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
def test_momentum_is_the_weight_of_the_newest_batch(share):
    model = nn.Sequential(nn.BatchNorm2d(3))
    bound("momentum", model, momentum=share)
    norm = model[0]
    norm.running_mean.fill_(7.0)
    batch = images(8)
    model(batch)
    torch.testing.assert_close(norm.running_mean, (1 - share) * 7.0 + share * batch.mean((0, 2, 3)))


def test_momentum_reaches_every_batchnorm(model):
    bound("momentum", model, momentum=0.02)
    assert {norm.momentum for norm in norms_of(model)} == {0.02}


def test_frozen_statistics_normalise_and_stay_while_scale_and_shift_learn(model):
    strategy, _ = make_strategy(PartConfig("strategy", "full", {"lr": 1e-3}), 3)
    strategy.groups(model, 1e-3)
    part = bound("frozen", model)
    for epoch in (1, 2):
        strategy.on_epoch(model, epoch)
        part.on_epoch(model)
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        logits = model(images(6))
        logits.square().sum().backward()
        assert all(torch.equal(buffer, buffers[name]) for name, buffer in model.named_buffers())
        assert all(norm.weight.grad.abs().sum() > 0 for norm in norms_of(model))
        alone = torch.cat([model(images(6)[i : i + 1]) for i in range(6)])
        torch.testing.assert_close(alone, logits, rtol=1e-4, atol=1e-5)  # no image depends on another


def test_frozen_leaves_what_is_inside_of_a_batchnorm_alive():
    model = nn.Sequential(BatchNormAct2d(3, drop_layer=nn.Dropout))
    bound("frozen", model).on_epoch(model)
    assert not model[0].training
    assert model[0].drop.training
