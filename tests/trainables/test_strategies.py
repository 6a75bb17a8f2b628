from itertools import pairwise

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.optim import param_groups_layer_decay

from spaces import InvalidParams
from trainables.parts import PARTS, Part, PartConfig
from trainables.strategies import depth_of, make_strategy
from trainables.strategies.full import Full
from trainables.strategies.gradual_unfreezing import GradualUnfreezing
from trainables.strategies.layers import head_names, layer_ids
from trainables.strategies.probe_then_finetune import ProbeThenFinetune

ARCHITECTURES = {
    "test_resnet": {},
    "test_vit": {"img_size": 32},
    "test_convnext": {},
    "test_efficientnet": {},
}
STRATEGIES = PARTS["strategy"]


def network(name: str, **more) -> torch.nn.Module:
    return timm.create_model(name, num_classes=5, **ARCHITECTURES[name], **more)


def made(name: str, epochs: int = 8, **options):
    return make_strategy(PartConfig("strategy", name, {"lr": 1e-3, **options}), epochs)[0]


def learning(model: torch.nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def rates(strategy, model: torch.nn.Module, lr: float = 1.0) -> dict[str, float]:
    """Parameter name → its group's peak rate."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(p)]: group.lr for group in strategy.groups(model, lr) for p in group.params}


@pytest.fixture(params=ARCHITECTURES)
def model(request):
    return network(request.param)


# --- all of them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_learning_parameter_is_in_one_group_and_no_bias_decays(name, model):
    strategy = made(name)
    groups = strategy.groups(model, 1e-3)
    members = [id(p) for group in groups for p in group.params]
    assert len(members) == len(set(members))
    assert set(members) == {id(p) for p in model.parameters() if p.requires_grad}
    assert all(p.ndim > 1 for group in groups if group.decays for p in group.params)
    assert max(group.lr for group in groups) == pytest.approx(1e-3)


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_is_frozen_evaluates_and_gets_no_gradient_in_every_epoch(name, model):
    strategy = made(name, epochs=3)
    strategy.groups(model, 1e-3)
    for epoch in (1, 2, 3):
        strategy.on_epoch(model, epoch)
        model.zero_grad(set_to_none=True)
        before = {key: buffer.clone() for key, buffer in model.named_buffers()}
        model(torch.randn(4, 3, 32, 32)).square().sum().backward()
        assert {key for key, p in model.named_parameters() if p.grad is not None} == learning(model)
        for key, module in model.named_modules():
            parameters = list(module.parameters(recurse=False))
            if not parameters:
                continue
            awake = any(p.requires_grad for p in parameters)
            assert module.training == (awake or key == ""), key
            for inner, buffer in module.named_buffers(recurse=False):
                assert torch.equal(buffer, before[f"{key}.{inner}"]) == (not awake)


def epochs_of(strategy, model: torch.nn.Module, epochs: int) -> list[set[str]]:
    strategy.groups(model, 1.0)
    seen = []
    for epoch in range(1, epochs + 1):
        strategy.on_epoch(model, epoch)
        seen.append(learning(model))
    return seen


@pytest.mark.parametrize("name", STRATEGIES)
def test_first_change_is_the_first_epoch_whose_layers_differ(name, model):
    strategy = made(name, epochs=7)
    seen = epochs_of(strategy, model, 7)
    changed = [epoch for epoch, awake in enumerate(seen, 1) if awake != seen[0]]
    assert strategy.first_change(depth_of(model)) == (changed[0] if changed else 1)


@pytest.mark.parametrize("name", STRATEGIES)
def test_epochs_can_be_asked_for_in_any_order(name):
    """A resumed trial begins somewhere in the middle."""
    one, other = network("test_resnet"), network("test_resnet")
    strategy = made(name, epochs=6)
    in_order = epochs_of(strategy, one, 6)
    strategy.groups(other, 1.0)
    for epoch in (5, 2, 6, 1, 4, 3):
        strategy.on_epoch(other, epoch)
        assert learning(other) == in_order[epoch - 1]


@pytest.mark.parametrize("name", STRATEGIES)
def test_only_a_probe_has_another_pace(name):
    strategy = made(name, epochs=10)
    groups = {group.name for group in strategy.groups(network("test_convnext"), 1e-3)}
    paces = {strategy.pace(group, epoch) for group in groups for epoch in range(1, 11)}
    assert paces == ({1.0, 10.0} if name == "probe_then_finetune" else {1.0})


# --- feature extraction --------------------------------------------------------------------------------


def test_feature_extraction_trains_the_head_and_evaluates_the_rest(model):
    strategy = made("feature_extraction")
    strategy.groups(model, 1e-3)
    strategy.on_epoch(model, 1)
    assert learning(model) == head_names(model) != set()


def test_dropout_before_the_head_stays_alive_when_the_backbone_is_frozen():
    for name in ARCHITECTURES:
        model = network(name, drop_rate=0.5)
        strategy = made("feature_extraction")
        strategy.groups(model, 1e-3)
        strategy.on_epoch(model, 1)
        images = torch.randn(2, 3, 32, 32)
        assert not torch.equal(model(images), model(images)), name


# --- rates by depth ------------------------------------------------------------------------------------


def test_layer_decay_agrees_with_timms_own_groups(model):
    ratio, lr = 0.05, 2e-3
    gamma = ratio ** (1 / (depth_of(model) - 1))
    ours = {
        id(p): (group.lr, group.decays)
        for group in made("layer_decay", ratio=ratio).groups(model, lr)
        for p in group.params
    }
    skip = getattr(model, "no_weight_decay", set)()
    for group in param_groups_layer_decay(model, 0.1, no_weight_decay_list=skip, layer_decay=gamma):
        for p in group["params"]:
            assert ours[id(p)] == (pytest.approx(lr * group["lr_scale"]), group["weight_decay"] > 0)


def test_the_bottom_layer_gets_ratio_times_the_tops_rate_on_every_depth(model):
    given_rates = rates(made("layer_decay", ratio=0.01), model).values()
    assert max(given_rates) == pytest.approx(1.0)
    assert min(given_rates) == pytest.approx(0.01)


def test_differential_rates_cut_the_body_in_halves(model):
    ids, below = layer_ids(model), depth_of(model) - 1
    by_layer = {}
    for name, rate in rates(made("differential", bottom=0.02, middle=0.3), model).items():
        by_layer.setdefault(ids[name], set()).add(rate)
    lower = (below + 1) // 2
    assert [by_layer[layer] for layer in range(below + 1)] == (
        [{0.02}] * lower + [{0.3}] * (below - lower) + [{1.0}]
    )
    assert head_names(model) <= {name for name, layer in ids.items() if by_layer[layer] == {1.0}}


# --- partial -------------------------------------------------------------------------------------------


@given(frozen=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_partial_freezes_the_nearest_number_of_the_lowest_layers(frozen):
    model = _CONVNEXT
    ids, body = layer_ids(model), depth_of(model) - 1
    strategy = made("partial", frozen=frozen)
    strategy.groups(model, 1e-3)
    asleep = {ids[name] for name in set(ids) - learning(model)}
    assert asleep == set(range(len(asleep)))
    assert {ids[name] for name in learning(model)} == set(range(len(asleep), body + 1))
    assert abs(len(asleep) - frozen * body) <= 0.5 + 1e-9


_CONVNEXT = network("test_convnext")


def test_partial_at_its_ends_is_full_training_and_the_top_layer_alone(model):
    made("partial", frozen=0).groups(model, 1.0)
    assert learning(model) == {name for name, _ in model.named_parameters()}
    made("partial", frozen=1).groups(model, 1.0)
    top = depth_of(model) - 1
    assert learning(model) == {name for name, layer in layer_ids(model).items() if layer == top}


# --- gradual unfreezing --------------------------------------------------------------------------------


def test_gradual_unfreezing_wakes_layers_from_the_top_down(model):
    epochs, depth = 10, depth_of(model)
    ids = layer_ids(model)
    seen = epochs_of(GradualUnfreezing(ratio=0.1, unfrozen_by=0.5, epochs=epochs), model, epochs)
    awake = [{ids[name] for name in names} for names in seen]
    assert all(before <= after for before, after in pairwise(awake))
    assert all(layers == set(range(min(layers), depth)) for layers in awake)
    assert awake[0] == {depth - 1}
    assert awake[5] == set(range(depth))


def test_layers_wake_at_even_intervals():
    strategy = GradualUnfreezing(ratio=0.1, unfrozen_by=0.35, epochs=27)
    assert strategy.first_change(6) == 3
    assert [strategy.wakes(layer, 6) for layer in range(6)] == [11, 9, 7, 5, 3, 1]
    assert made("full", epochs=27).first_change(6) == 1


# --- probe, then fine-tune -----------------------------------------------------------------------------


def test_the_head_learns_alone_and_faster_at_first(model):
    strategy = ProbeThenFinetune(probe=0.4, boost=20, epochs=10)
    seen = epochs_of(strategy, model, 10)
    head, everything = head_names(model), {name for name, _ in model.named_parameters()}
    assert seen == [head] * 4 + [everything] * 6
    assert [strategy.pace("head", epoch) for epoch in range(1, 11)] == [20.0] * 4 + [1.0] * 6
    assert set(rates(strategy, model).values()) == {1.0}


@given(probe=st.floats(0, 1, exclude_max=True), epochs=st.integers(1, 200))
def test_a_probe_takes_its_share_in_whole_epochs_and_leaves_one(probe, epochs):
    strategy = ProbeThenFinetune(probe=probe, epochs=epochs)
    assert 0 <= strategy.probed <= epochs - 1
    assert strategy.probed - 1 < probe * epochs
    assert strategy.probed >= min(epochs - 1, probe * epochs - 1e-6)
    assert strategy.first_change(9) == strategy.probed + 1


def test_what_sleeps_is_not_moved_by_momentum_or_decay_and_wakes_with_a_fresh_state():
    model = network("test_resnet")
    strategy = ProbeThenFinetune(probe=0.5, epochs=2)
    groups = strategy.groups(model, 1e-3)
    optimizer = torch.optim.AdamW([{"params": list(group.params), "lr": group.lr} for group in groups])
    head = head_names(model)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    for epoch in (1, 2):
        strategy.on_epoch(model, epoch)
        for _ in range(2):
            optimizer.zero_grad(set_to_none=True)
            model(torch.randn(4, 3, 32, 32)).square().sum().backward()
            optimizer.step()
        moved = {name for name, p in model.named_parameters() if not torch.equal(p, start[name])}
        assert moved == (head if epoch == 1 else set(start))
    steps = {name: int(optimizer.state[p]["step"]) for name, p in model.named_parameters()}
    assert {steps[name] for name in head} == {4}
    assert {steps[name] for name in set(start) - head} == {2}


# --- names and options ---------------------------------------------------------------------------------


def test_the_rate_is_given_back():
    assert make_strategy(PartConfig("strategy", "full", {"lr": 0}), 8) == (Full(), 0.0)
    assert make_strategy(PartConfig("strategy", "scratch", {"lr": 2e-3}), 8)[1] == 2e-3


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("fulll", {"lr": 1e-3}, "`strategy` must be one of .*did you mean 'full'"),
        ("full", {}, r"`strategy\.full\.lr` must be given"),
        ("full", {"lr": -1e-3}, r"`strategy\.full\.lr >= 0` must hold .* strategy\.full\.lr=-0\.001"),
        ("full", {"lr": float("inf")}, r"strategy\.full\.lr=inf"),
        ("full", {"lr": "fast"}, r"strategy\.full\.lr='fast'"),
        ("full", {"lr": True}, r"strategy\.full\.lr=True"),
        ("full", {"lr": 1e-3, "ratio": 0.5}, "'full' has no option 'ratio'"),
        ("layer_decay", {"lr": 1e-3, "ratio": 0.0}, r"strategy\.layer_decay: `ratio > 0` must hold"),
        ("differential", {"lr": 1e-3, "middle": 1.5}, r"strategy\.differential: `middle <= 1` must hold"),
        ("partial", {"lr": 1e-3, "frozen": -0.1}, r"strategy\.partial: `frozen >= 0` must hold"),
        ("probe_then_finetune", {"lr": 1e-3, "probe": 1.0}, "`probe < 1` must hold"),
        ("probe_then_finetune", {"lr": 1e-3, "boost": 0.0}, "`boost > 0` must hold"),
        ("gradual_unfreezing", {"lr": 1e-3, "epochs": 4}, "'gradual_unfreezing' has no option 'epochs'"),
    ],
)
def test_a_strategy_that_cannot_be_is_refused(name, options, words):
    with pytest.raises(InvalidParams, match=words):
        make_strategy(PartConfig("strategy", name, options), 8)


class HeadOfMyOwn(Full):
    """A user's own."""


def test_a_users_own_strategy_is_taken_by_its_place():
    strategy = made(f"{__name__}:HeadOfMyOwn")
    assert type(strategy).__name__ == "HeadOfMyOwn"
    assert isinstance(strategy, Part)
