import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from spaces import InputError, InvalidParams
from tests.trainables.transfer.parts import (
    CLASSES,
    assert_same,
    gradients,
    hard,
    images,
    made,
    moved,
    soft,
    study,
)
from trainables.parts import PARTS, PartConfig
from trainables.strategies import make_strategy
from trainables.strategies.layers import head_names
from trainables.transfer import Source

PENALTIES = [name for name in PARTS["transfer"] if name != "none"]


ON_FEATURES = [name for name in PENALTIES if name != "l2_sp"]


@pytest.mark.parametrize("name", PENALTIES)
def test_random_weights_are_refused(name, architecture):
    model, source = study(architecture)
    without = Source(source.backbone, source.make, None, source.train_batches, CLASSES)
    for options in ({}, {"strength": 0.0}):
        with pytest.raises(InputError) as error:
            made(name, **options).bind(model, without)
        assert str(error.value).startswith(
            f"transfer='{name}' needs pretrained weights, but model '{architecture}' starts from random ones"
        )
    assert made("none").bind(model, without).forward(model, model, images(2), hard(2))[1] == 0


@pytest.mark.parametrize("name", PENALTIES)
def test_a_strength_of_zero_is_no_penalty_bit_by_bit(name, architecture):
    model, source = study(architecture)
    none, zero = made("none").bind(model, source), made(name, strength=0).bind(model, source)
    moved(model)
    start = copy.deepcopy(model.state_dict())
    wanted = gradients(none, model, images(6), soft(6))
    model.load_state_dict(start)
    assert_same(gradients(zero, model, images(6), soft(6)), wanted, rtol=0, atol=0)


@pytest.mark.parametrize("name", PENALTIES)
def test_strength_scales_what_a_penalty_adds(name, architecture):
    model, source = study(architecture)
    free = made("none").bind(model, source)
    moved(model)
    start = copy.deepcopy(model.state_dict())
    added = []
    for strength in (0.5, 1.0):
        part = made(name, strength=strength)
        twin, _ = study(architecture)
        bound = part.bind(twin, source)
        twin.load_state_dict(start)
        plain = gradients(free, model, images(6), hard(6))
        model.load_state_dict(start)
        with_it = gradients(bound, twin, images(6), hard(6))
        added.append({key: with_it[key] - plain[key] for key in plain if key not in head_names(model)})
    assert sum(float(tensor.abs().sum()) for tensor in added[0].values()) > 0
    assert_same({key: 2 * t for key, t in added[0].items()}, added[1], rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("knobs", [{}, {"dropout": 0.5}, {"drop_path": 0.3}])
def test_logits_are_the_networks_own_with_its_own_dropout_in_one_pass(name, knobs, architecture):
    model, source = study(architecture, **knobs)
    twin = copy.deepcopy(model)
    bound = made(name).bind(model, source)
    bound.forward(model, model, images(6), hard(6))  # what is learned once is learned
    model.load_state_dict(twin.state_dict())
    calls = []
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_hook(lambda *_: calls.append(1))
    torch.manual_seed(5)
    wanted = twin(images(6))
    torch.manual_seed(5)
    logits, extra = bound.forward(model, model, images(6), hard(6))
    assert torch.equal(logits, wanted)
    assert len(calls) == 1
    assert extra.shape == ()
    assert extra.dtype == torch.float32
    for (key, mine), theirs in zip(model.state_dict().items(), twin.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), key  # BatchNorm has seen the batch once


@pytest.mark.parametrize("name", PENALTIES)
def test_the_network_does_not_come_to_hold_its_source(name, architecture):
    model, source = study(architecture)
    keys, hooks = list(model.state_dict()), [len(m._forward_pre_hooks) for m in model.modules()]
    bound = made(name).bind(model, source)
    gradients(bound, model, images(4), hard(4))
    assert list(model.state_dict()) == keys
    assert [len(m._forward_pre_hooks) for m in model.modules()] == hooks
    assert list(copy.deepcopy(model).state_dict()) == keys


@pytest.mark.parametrize("name", PENALTIES)
def test_the_same_batch_gives_the_same_gradients(name):
    results = []
    for _ in range(2):
        model, source = study("test_efficientnet", dropout=0.3)
        bound = made(name).bind(model, source)
        moved(model)
        torch.manual_seed(9)
        results.append(gradients(bound, model, images(6), soft(6)))
    assert_same(*results, rtol=0, atol=0)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_frozen_backbone_is_left_alone(name, architecture):
    model, source = study(architecture)
    bound = made(name).bind(model, source)
    moved(model)
    strategy, _ = make_strategy(PartConfig("strategy", "feature_extraction", {"lr": 1e-3}), 3)
    strategy.groups(model, 1e-3)
    strategy.on_epoch(model, 1)
    assert gradients(bound, model, images(4), hard(4)).keys() == head_names(model)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_leaves_the_penalty_in_full(name, dtype, architecture):
    model, source = study(architecture)
    bound = made(name).bind(model, source)
    moved(model)
    start = copy.deepcopy(model.state_dict())
    wanted = float(bound.forward(model, model, images(6), hard(6))[1].detach())
    model.load_state_dict(start)
    with torch.autocast("cpu", dtype=dtype):
        logits, extra = bound.forward(model, model, images(6), hard(6))
    (functional.cross_entropy(logits.float(), hard(6)) + extra).backward()
    assert logits.dtype == dtype
    assert extra.dtype == torch.float32
    assert float(extra.detach()) == pytest.approx(wanted, rel=0.1, abs=1e-6)


@pytest.mark.parametrize("name", ["delta", "co_tuning"])
def test_a_mean_over_images_can_be_had_in_parts(name, architecture):
    model, source = study(architecture)
    bound = made(name).bind(model, source)
    moved(model).eval()
    whole = bound.forward(model, model, images(6), soft(6))[1]
    parts = [
        len(some) / 6 * bound.forward(model, model, some, wanted)[1]
        for some, wanted in zip(images(6).split(4), soft(6).split(4), strict=True)
    ]
    torch.testing.assert_close(sum(parts), whole)


@pytest.mark.parametrize("name", PENALTIES)
def test_grey_images_will_do(name):
    model, source = study("test_resnet", channels=1)
    bound = made(name).bind(model, source)
    inputs = images(6, channels=1)
    assert all(g.isfinite().all() for g in gradients(bound, model, inputs, hard(6)).values())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("l2_sp", {"strength": -1.0}, "`strength >= 0` must hold"),
        ("bss", {"count": 0}, "`count >= 1` must hold"),
        ("bss", {"count": 1.5}, "`count` must be a whole number"),
        ("delta", {"count": 1}, "'delta' has no option 'count'"),
    ],
)
def test_options_have_laws(name, options, words):
    with pytest.raises(InvalidParams, match=words):
        made(name, **options)
