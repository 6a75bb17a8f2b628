import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay

from spaces import InvalidParams
from trainables.strategies import STRATEGIES, depth_of, make_strategy
from trainables.strategies.gradual_unfreezing import GradualUnfreezing
from trainables.strategies.layers import head_names, layer_ids

ARCHITECTURES = ["test_resnet", "test_vit", "test_convnext", "test_efficientnet"]
OPTIONS = {"layer_decay": {"ratio": 0.1}, "gradual_unfreezing": {"ratio": 0.1, "unfrozen_by": 0.5}}


def network(name: str) -> torch.nn.Module:
    return timm.create_model(name, num_classes=5)


@pytest.fixture(params=ARCHITECTURES)
def model(request):
    return network(request.param)


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_learning_parameter_is_in_one_group_and_no_bias_decays(name, model):
    strategy = make_strategy(name, OPTIONS.get(name, {}), epochs=8)
    groups = strategy.groups(model, 1e-3)
    members = [id(p) for group in groups for p in group.params]
    assert len(members) == len(set(members))
    assert set(members) == {id(p) for p in model.parameters() if p.requires_grad}
    assert all(p.ndim > 1 for group in groups if group.decays for p in group.params)
    assert max(group.lr for group in groups) == pytest.approx(1e-3)


def test_feature_extraction_trains_the_head_and_evaluates_the_rest(model):
    strategy = make_strategy("feature_extraction", {}, epochs=8)
    strategy.groups(model, 1e-3)
    strategy.on_epoch(model, 1)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learning == head_names(model)
    assert learning
    frozen_norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    before = [m.running_mean.clone() for m in frozen_norms]
    model(torch.randn(4, 3, 160, 160))
    assert all(torch.equal(m.running_mean, was) for m, was in zip(frozen_norms, before, strict=True))


def test_dropout_before_the_head_stays_alive_when_the_backbone_is_frozen():
    for name in ARCHITECTURES:
        model = timm.create_model(name, num_classes=5, drop_rate=0.5)
        strategy = make_strategy("feature_extraction", {}, epochs=8)
        strategy.groups(model, 1e-3)
        strategy.on_epoch(model, 1)
        images = torch.randn(2, 3, 160, 160)
        assert not torch.equal(model(images), model(images)), name


def test_layer_decay_agrees_with_timms_own_groups(model):
    ratio, lr = 0.05, 2e-3
    gamma = ratio ** (1 / (depth_of(model) - 1))
    ours = {
        id(p): (group.lr, group.decays)
        for group in make_strategy("layer_decay", {"ratio": ratio}, 8).groups(model, lr)
        for p in group.params
    }
    skip = getattr(model, "no_weight_decay", set)()
    for group in param_groups_layer_decay(model, 0.1, no_weight_decay_list=skip, layer_decay=gamma):
        for p in group["params"]:
            assert ours[id(p)] == (pytest.approx(lr * group["lr_scale"]), group["weight_decay"] > 0)


def test_the_bottom_layer_gets_ratio_times_the_tops_rate_on_every_depth(model):
    groups = make_strategy("layer_decay", {"ratio": 0.01}, 8).groups(model, 1.0)
    rates = [group.lr for group in groups]
    assert max(rates) == pytest.approx(1.0)
    assert min(rates) == pytest.approx(0.01)


def test_gradual_unfreezing_wakes_layers_from_the_top_down(model):
    epochs, depth = 10, depth_of(model)
    strategy = GradualUnfreezing(ratio=0.1, unfrozen_by=0.5, epochs=epochs)
    strategy.groups(model, 1e-3)
    ids = layer_ids(model)
    awake_before: set[int] = set()
    for epoch in range(1, epochs + 1):
        strategy.on_epoch(model, epoch)
        awake = {ids[name] for name, p in model.named_parameters() if p.requires_grad}
        assert awake >= awake_before
        assert awake == set(range(min(awake), depth))
        awake_before = awake
        if epoch == 1:
            assert awake == {depth - 1}
        if epoch == 6:
            assert awake == set(range(depth))


def test_first_change_is_the_first_epoch_whose_layers_differ():
    strategy = GradualUnfreezing(ratio=0.1, unfrozen_by=0.35, epochs=27)
    assert strategy.first_change(6) == 3
    assert [strategy.wakes(layer, 6) for layer in range(6)] == [11, 9, 7, 5, 3, 1]
    assert make_strategy("full", {}, 27).first_change(6) == 1


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("fulll", {}, "must be one of"),
        ("layer_decay", {}, "ratio"),
        ("full", {"ratio": 0.5}, "takes the options"),
    ],
)
def test_a_strategy_with_other_options_is_refused(name, options, words):
    with pytest.raises(InvalidParams, match=words):
        make_strategy(name, options, 8)
