import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.trainables.batchnorm.parts import bound, images, network, same, state
from trainables.batchnorm import norms_of, re_estimate, statistics_kept
from trainables.parts import PartConfig
from trainables.strategies import make_strategy


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
