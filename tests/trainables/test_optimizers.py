import copy
import io

import pytest
import timm
import torch
from torch import nn

from trainables.batchnorm import norms_of, re_estimate
from trainables.optimizers import evaluating, remember_momentum, set_pace
from trainables.parts import PARTS, PartConfig

NAMES = list(PARTS["optimizer"])
DECOUPLED = {"adamw", "nadam", "lion", "muon", "schedule_free"}
"""Where weight decay does not pass through the gradient's scaling."""
IN_THE_GRADIENT = {"adam", "sgd", "adagrad", "rmsprop"}
"""Where it does: L2."""


def make(name, groups, **options) -> torch.optim.Optimizer:
    return PartConfig("optimizer", name, options).make().make(groups)


def groups_of(network: nn.Module, lr=1e-2, decay=0.1) -> list[dict]:
    wide = [p for p in network.parameters() if p.ndim > 1]
    narrow = [p for p in network.parameters() if p.ndim <= 1]
    common = {"lr": lr, "peak_lr": lr, "top_lr": lr}
    return [
        {"params": wide, "weight_decay": decay, "name": "wide", **common},
        {"params": narrow, "weight_decay": 0.0, "name": "narrow", **common},
    ]


def network(seed=0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 5))


def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> float:
    rng = torch.Generator().manual_seed(seed)
    images = torch.randn(16, 3, 8, 8, generator=rng)
    labels = images.mean((1, 2, 3)).gt(0).long()
    loss = nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("name", NAMES)
def test_each_lowers_a_loss(name):
    model = network()
    optimizer = make(name, groups_of(model, lr=1e-2 if name == "lamb" else 1e-3))
    losses = [step(model, optimizer, seed % 4) for seed in range(40)]
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


@pytest.mark.parametrize("name", NAMES)
def test_what_must_not_decay_does_not_and_the_rest_does(name):
    model = network()
    lr = 0.01 if name in DECOUPLED else 1e-4  # L2 makes a gradient, which some scale up
    optimizer = make(name, groups_of(model, lr=lr, decay=0.5))
    before = [p.detach().clone() for p in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for parameter, old in zip(model.parameters(), before, strict=True):
        if parameter.ndim <= 1:
            assert torch.equal(parameter, old)
        else:
            assert parameter.norm() < old.norm()
            if name in DECOUPLED:
                assert torch.allclose(parameter, old * (1 - lr * 0.5), atol=1e-6)


def after_steps(name, decay, pull=0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix before and after three steps on fixed gradients, to which `pull` times the matrix is added."""
    torch.manual_seed(2)
    start = torch.randn(8, 6)
    weight = nn.Parameter(start.clone())
    optimizer = make(name, [{"params": [weight], "lr": 0.01, "weight_decay": decay}])
    for _ in range(3):
        weight.grad = torch.randn(8, 6) + pull * weight.detach()
        optimizer.step()
    return start, weight.detach()


@pytest.mark.parametrize("name", sorted(IN_THE_GRADIENT))
def test_decay_is_part_of_the_gradient(name):
    assert torch.allclose(after_steps(name, 0.3)[1], after_steps(name, 0.0, pull=0.3)[1], atol=1e-6)
    assert not torch.allclose(after_steps(name, 0.3)[1], after_steps(name, 0.0)[1], atol=1e-4)


@pytest.mark.parametrize("name", sorted(DECOUPLED - {"schedule_free"}))
def test_decay_is_apart_from_the_gradient(name):
    """Each step takes lr times the decay off the weights and then does what it does without a decay."""
    start, plain = after_steps(name, 0.0)
    kept, decayed = start.clone(), after_steps(name, 0.3)[1]
    torch.manual_seed(2)
    weight = nn.Parameter(torch.randn(8, 6))
    optimizer = make(name, [{"params": [weight], "lr": 0.01, "weight_decay": 0.0}])
    for _ in range(3):
        weight.grad, before = torch.randn(8, 6), weight.detach().clone()
        optimizer.step()
        kept = kept * (1 - 0.01 * 0.3) + weight.detach() - before
    assert torch.equal(weight, plain)
    assert torch.allclose(decayed, kept, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_goes_on_with_the_same_numbers(name):
    model = network()
    optimizer = make(name, groups_of(model))
    remember_momentum(optimizer)
    for seed in range(3):
        step(model, optimizer, seed)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other = network(1)
    again = make(name, groups_of(other))
    other.load_state_dict(saved["model"])
    again.load_state_dict(saved["optimizer"])
    assert [group["name"] for group in again.param_groups] == ["wide", "narrow"]
    assert all(group["peak_lr"] == group["top_lr"] == 1e-2 for group in again.param_groups)
    for seed in range(3, 6):
        assert step(model, optimizer, seed) == step(other, again, seed)


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_gradient_does_not_move(name):
    model = network()
    optimizer = make(name, groups_of(model))
    model[0].weight.requires_grad_(False)
    before = model[0].weight.detach().clone()
    step(model, optimizer, 0)
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        (name, option, 0.8 if option == "alpha" else 0.5)
        for name in NAMES
        for option in PartConfig("optimizer", name).make().__class__.model_fields
        if option not in {"rate", "nesterov", "start"}
    ]
    + [("sgd", "nesterov", False), ("adagrad", "start", 1.0)],
)
def test_each_option_reaches_it(name, option, value):
    def after(**options) -> torch.Tensor:
        model = network()
        optimizer = make(name, groups_of(model), **options)
        for seed in range(4):
            step(model, optimizer, seed)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert not torch.equal(after(), after(**{option: value}))


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_that_overflowed_moves_nothing(name):
    """What the loss scaler finds not finite is skipped, also by optimizers that do the skipping themselves."""
    model = network()
    optimizer = make(name, groups_of(model))
    scaler = torch.amp.GradScaler("cpu", enabled=True)
    images = torch.randn(4, 3, 8, 8)
    scaler.scale(model(images).sum()).backward()
    model[0].weight.grad[0] = float("inf")
    before = {k: v.clone() for k, v in model.state_dict().items()}
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    optimizer.zero_grad()
    scaler.scale(model(images).sum()).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert not torch.equal(model[0].weight, before["0.weight"])


def test_pace_sets_rates_and_momenta():
    for name, of in (("sgd", lambda g: g["momentum"]), ("adamw", lambda g: g["betas"][0])):
        optimizer = make(name, groups_of(network()))
        remember_momentum(optimizer)
        set_pace(optimizer, 0.25, 0.5)
        assert [group["lr"] for group in optimizer.param_groups] == [2.5e-3, 2.5e-3]
        assert [of(group) for group in optimizer.param_groups] == [0.45, 0.45]
        set_pace(optimizer, 0.5, 1.0)  # from the peak, not from where it is
        assert [group["lr"] for group in optimizer.param_groups] == [5e-3, 5e-3]
        assert of(optimizer.param_groups[0]) == 0.9
    plain = make("sgd", groups_of(network()), momentum=0.0)
    remember_momentum(plain)
    set_pace(plain, 1.0, 0.5)
    assert plain.param_groups[0]["momentum"] == 0.0


def test_momentum_0_is_plain_gradient_descent():
    weight = nn.Parameter(torch.ones(2))
    optimizer = make("sgd", [{"params": [weight], "lr": 0.1, "weight_decay": 0.0}], momentum=0.0)
    weight.grad = torch.ones(2)
    optimizer.step()
    assert torch.allclose(weight, torch.full((2,), 0.9))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "schedule_free"])
def test_evaluating_does_nothing_for_most(name):
    model = network()
    optimizer = make(name, groups_of(model))
    step(model, optimizer, 0)
    before = copy.deepcopy(model.state_dict())
    with evaluating(optimizer, model, lambda: pytest.fail("nothing to refresh")):
        assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_schedule_free_is_judged_by_its_average_with_statistics_of_its_own_and_trains_on_as_before():
    model = timm.create_model("test_resnet", num_classes=5)
    optimizer = make("schedule_free", groups_of(model))
    images = torch.randn(8, 3, 32, 32)
    for _ in range(3):
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()
    before = copy.deepcopy(model.state_dict())
    with evaluating(optimizer, model, lambda: re_estimate(model, [images])):
        inside = copy.deepcopy(model.state_dict())
    assert not torch.equal(inside["conv1.0.weight"], before["conv1.0.weight"])
    statistics = [name for name in before if "running" in name]
    assert statistics
    assert norms_of(model)
    assert any(not torch.equal(inside[name], before[name]) for name in statistics)
    for name, value in model.state_dict().items():
        if "running" in name or "num_batches" in name:
            assert torch.equal(value, before[name])
        else:  # there and back along a line
            assert torch.allclose(value, before[name], atol=1e-5)
    optimizer.step()  # raises if it is not back in training


def test_muon_steps_as_torchs_own_does_on_a_matrix():
    torch.manual_seed(0)
    start, gradient = torch.randn(8, 16), torch.randn(8, 16)
    ours, theirs = (nn.Parameter(start.clone()) for _ in range(2))
    mine = make("muon", [{"params": [ours], "lr": 0.01, "weight_decay": 0.0}])
    other = torch.optim.Muon(
        [theirs], lr=0.01, weight_decay=0.0, momentum=0.95, nesterov=False, adjust_lr_fn="match_rms_adamw"
    )
    for parameter in (ours, theirs):
        parameter.grad = gradient.clone()
    mine.step()
    other.step()
    step_mine, step_other = ours.detach() - start, theirs.detach() - start
    assert (
        torch.cosine_similarity(step_mine.flatten(), step_other.flatten(), dim=0) > 0.97
    )  # both iterate in bf16
    assert float(step_mine.norm()) == pytest.approx(float(step_other.norm()), rel=0.1)


@pytest.mark.parametrize("shape", [(8, 16), (16, 8), (8, 3, 3, 3)])
def test_muon_steps_by_the_directions_of_its_momentum(shape):
    """Liu et al., 2025, equation 4: U Vᵀ of the momentum's SVD, times 0.2 √max(m, n); a kernel is a matrix."""
    torch.manual_seed(0)
    start, lr, decay = torch.randn(shape), 0.01, 0.1
    weight = nn.Parameter(start.clone())
    optimizer = make("muon", [{"params": [weight], "lr": lr, "weight_decay": decay}])
    expected, momentum = start.clone(), torch.zeros_like(start).flatten(1)
    for _ in range(4):
        gradient = torch.randn(shape)
        weight.grad = gradient.clone()
        optimizer.step()
        momentum = 0.95 * momentum + 0.05 * gradient.flatten(1)
        left, _, right = torch.linalg.svd(momentum, full_matrices=False)
        move = 0.2 * max(momentum.shape) ** 0.5 * (left @ right)
        expected = expected * (1 - lr * decay) - lr * move.view(shape)
    # Five iterations in bf16 are no exact SVD.
    assert (weight.detach() - expected).norm() < 0.03 * (expected - start).norm()


@pytest.mark.parametrize("shape", [(8,), (8, 1, 3, 3), (3, 16), (4, 516)])
def test_muon_leaves_what_has_no_two_wide_dimensions_to_adamw(shape):
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = (nn.Parameter(start.clone()) for _ in range(2))
    mine = make("muon", [{"params": [ours], "lr": 0.01, "weight_decay": 0.1}])
    other = torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1, betas=(0.9, 0.95))
    for _ in range(4):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        mine.step()
        other.step()
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_lamb_is_its_formula(decay):
    """You et al., ICLR 2020, algorithm 2, with gradients as long as they are; what does not decay is Adam's."""
    torch.manual_seed(0)
    expected = torch.randn(6, 4)
    weight = nn.Parameter(expected.clone())
    optimizer = make("lamb", [{"params": [weight], "lr": 0.01, "weight_decay": decay}])
    first, second = torch.zeros(6, 4), torch.zeros(6, 4)
    for t in range(1, 5):
        weight.grad = 3.0**t * torch.randn(6, 4)
        first = 0.9 * first + 0.1 * weight.grad
        second = 0.999 * second + 0.001 * weight.grad**2
        move = (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-6) + decay * expected
        expected = expected - 0.01 * (expected.norm() / move.norm() if decay else 1.0) * move
        optimizer.step()
    assert torch.allclose(weight, expected, atol=1e-5)


def test_adamw_is_its_formula():
    """Loshchilov & Hutter, ICLR 2019, algorithm 2, by hand."""
    torch.manual_seed(1)
    model = nn.Linear(3, 1)
    optimizer = make("adamw", groups_of(model, lr=0.01, decay=0.1))
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in start.items()}
    for t in range(1, 6):
        optimizer.zero_grad()
        (model(torch.full((1, 3), 0.1 * t)) ** 2).sum().backward()
        for name, parameter in model.named_parameters():
            first, second = moments[name]
            first = 0.9 * first + 0.1 * parameter.grad
            second = 0.999 * second + 0.001 * parameter.grad**2
            moments[name] = first, second
            start[name] = start[name] * (1 - 0.01 * (0.1 if name == "weight" else 0.0))
            start[name] -= 0.01 * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
        optimizer.step()
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter, start[name], rtol=1e-5, atol=1e-7), name
