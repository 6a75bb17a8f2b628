import copy

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers import BatchNormAct2d
from torch import nn

from spaces import InputError, InvalidParams
from trainables.batchnorm import count_once, norms_of, re_estimate, statistics_kept
from trainables.parts import PARTS, PartConfig
from trainables.strategies import make_strategy

WITH = ["test_resnet", "test_efficientnet"]  # BatchNorm2d; timm's BatchNormAct2d with SiLU inside
WITHOUT = {"test_vit": {"img_size": 32}, "test_convnext": {}}
CHANGES = [name for name in PARTS["batchnorm"] if name != "as_built"]


def network(name: str, seed: int = 0, **more) -> nn.Module:
    """Its blocks do something: timm begins with blocks whose last BatchNorm has a scale of zero."""
    torch.manual_seed(seed)
    model = timm.create_model(name, num_classes=5, **WITHOUT.get(name, {}), **more)
    for norm in norms_of(model):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
    return model


def made(name: str, **options):
    return PartConfig("batchnorm", name, options).make()


def bound(name: str, model: nn.Module, **options):
    part = made(name, **options)
    part.bind(model, "mine")
    return part


def images(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 + 1


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(params=WITH)
def model(request):
    return network(request.param)


# --- which networks ------------------------------------------------------------------------------------


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


# --- momentum ------------------------------------------------------------------------------------------


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


# --- re-estimation -------------------------------------------------------------------------------------


def by_hand(model: nn.Module, batches: list[torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Each BatchNorm's mean and variance, averaged over the images of the batches, seen from outside."""
    model = copy.deepcopy(model).eval()
    norms = norms_of(model)
    sums = [[torch.zeros(norm.num_features), torch.zeros(norm.num_features)] for norm in norms]
    for norm, (mean, var) in zip(norms, sums, strict=True):
        norm.train()

        def look(_, given, mean=mean, var=var):
            mean += given[0].mean((0, 2, 3)).detach() * len(given[0])
            var += given[0].var((0, 2, 3)).detach() * len(given[0])

        norm.register_forward_pre_hook(look)
    for batch in batches:
        model(batch)
    count = sum(map(len, batches))
    return [(mean / count, var / count) for mean, var in sums]


def test_statistics_are_the_mean_over_images_of_all_batches(model):
    batches = [images(8, 1), images(8, 2) * 3, images(3, 3) - 2]
    wanted = by_hand(model, batches)
    for norm in norms_of(model):  # what was there must not matter
        norm.running_mean.fill_(50.0)
    part = bound("re_estimated", model)
    part.prepare(model, lambda: iter(batches))
    for norm, (mean, var) in zip(norms_of(model), wanted, strict=True):
        torch.testing.assert_close(norm.running_mean, mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(norm.running_var, var, rtol=1e-4, atol=1e-5)


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_one_layer_gives_the_weighted_mean_whatever_the_batches(sizes):
    norm = nn.BatchNorm2d(3)
    batches = [images(size, seed) for seed, size in enumerate(sizes)]
    re_estimate(norm, batches)
    largest = [max(sizes[: index + 1]) for index in range(len(sizes))]
    counted = [b for b, high in zip(batches, largest, strict=True) if len(b) > 1 or high == 1]
    total = sum(map(len, counted))
    mean = sum(batch.mean((0, 2, 3)) * len(batch) for batch in counted) / total
    torch.testing.assert_close(norm.running_mean, mean, rtol=1e-4, atol=1e-5)


def test_re_estimation_leaves_all_else_as_it_was_and_draws_nothing():
    model = network("test_efficientnet", drop_rate=0.5, drop_path_rate=0.3)
    bound("stochastic", model)
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    momenta = [norm.momentum for norm in norms_of(model)]
    generator = torch.get_rng_state()
    twin = copy.deepcopy(model)
    batches = [images(6, 1), images(6, 2)]
    re_estimate(model, batches)
    re_estimate(twin, batches)
    assert torch.equal(torch.get_rng_state(), generator)
    assert [module.training for module in model.modules()] == modes
    assert [norm.momentum for norm in norms_of(model)] == momenta
    assert same(state(model), state(twin))
    model.train()
    assert not torch.equal(model(images(6)), model(images(6)))  # draws again


def test_a_frozen_batchnorm_keeps_what_it_has(model):
    frozen, learning = norms_of(model)[0], norms_of(model)[-1]
    frozen.eval()
    before = frozen.running_mean.clone(), learning.running_mean.clone()
    re_estimate(model, [images(6)])
    assert torch.equal(frozen.running_mean, before[0])
    assert not torch.equal(learning.running_mean, before[1])


def test_without_images_nothing_is_forgotten(model):
    norms_of(model)[0].running_mean.fill_(3.0)
    before = state(model)
    re_estimate(model, [])
    assert same(before, state(model))


def test_a_last_image_alone_where_no_spread_can_be_had():
    """Over one value a channel BatchNorm cannot train, and torch says so."""
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(3))
    batches = [images(4), images(1)]
    re_estimate(model, batches)
    torch.testing.assert_close(model[2].running_mean, batches[0].mean((0, 2, 3)))


def test_modes_and_momenta_come_back_after_an_error(model):
    with pytest.raises(RuntimeError):
        re_estimate(model, [images(4), torch.randn(4, 9, 32, 32)])
    assert all(module.training for module in model.modules())
    assert {norm.momentum for norm in norms_of(model)} == {0.1}


def test_a_frozen_backbone_evaluates_by_the_images_it_sees(model):
    """AdaBN: shifted inputs give features as if they were not shifted."""
    strategy, _ = make_strategy(PartConfig("strategy", "feature_extraction", {"lr": 1e-3}), 3)
    strategy.groups(model, 1e-3)
    part = bound("re_estimated", model)
    part.prepare(model, lambda: iter([images(32)]))
    strategy.on_epoch(model, 1)
    part.on_epoch(model)
    plain = model.forward_features(images(32)).detach()
    part.prepare(model, lambda: iter([images(32) * 5]))
    strategy.on_epoch(model, 1)
    assert not any(norm.training for norm in norms_of(model))
    torch.testing.assert_close(model.forward_features(images(32) * 5), plain, rtol=1e-2, atol=1e-2)


def test_statistics_are_kept_whatever_happens_inside(model):
    before = state(model)
    with statistics_kept(model):
        model(images(8))
        assert not same(before, state(model))
    assert same(before, state(model))
    with pytest.raises(RuntimeError), statistics_kept(model):
        model.forward_head(model.forward_features(images(8))[:, :2])
    assert same(before, state(model))


# --- gradient checkpointing ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["as_built", "momentum", "frozen", "stochastic"])
def test_with_checkpointing_a_batch_counts_once_and_gradients_are_the_same(name, model):
    twin = copy.deepcopy(model)
    twin.set_grad_checkpointing(True)
    count_once(twin)
    results = []
    for network_ in (model, twin):
        part = bound(name, network_)
        part.on_epoch(network_)
        torch.manual_seed(4)
        for seed in (1, 2):
            network_.zero_grad(set_to_none=True)
            network_(images(6, seed)).square().sum().backward()
        results.append((state(network_), [p.grad for p in network_.parameters()]))
    (plain, gradients), (checkpointed, others) = results
    assert same(plain, checkpointed)
    assert all(torch.equal(one, other) for one, other in zip(gradients, others, strict=True))
    assert [n.momentum for n in norms_of(model)] == [n.momentum for n in norms_of(twin)]


def test_without_it_a_batch_counts_twice(model):
    """What `count_once` is for; if this ever fails, torch has taken it over."""
    twin = copy.deepcopy(model)
    twin.set_grad_checkpointing(True)
    for network_ in (model, twin):
        network_(images(6)).square().sum().backward()
    assert not same(state(model), state(twin))


# --- frozen --------------------------------------------------------------------------------------------


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


# --- stochastic ----------------------------------------------------------------------------------------


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
