import copy

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trainables.averaging import MovingAverage, NoAverage, make_averaging
from trainables.config import OptimizerConfig
from trainables.optimizers import make_optimizer
from trainables.strategies import make_strategy

LR, WEIGHT_DECAY = 1e-2, 0.1


def network() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=4, in_chans=1, drop_path_rate=0.0)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(8, 1, 32, 32, generator=generator)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), torch.arange(8) % 4).backward()
    optimizer.step()


def ours(model: nn.Module, name: str) -> torch.optim.Optimizer:
    groups = make_strategy("layer_decay", {"ratio": 0.1}, 3).groups(model, LR)
    return make_optimizer(OptimizerConfig(name, WEIGHT_DECAY, clip_norm=0.0), groups)


def torchs(model: nn.Module, name: str) -> torch.optim.Optimizer:
    """The optimizer as one would write it by hand, one group a parameter."""
    groups = [
        {
            "params": list(group.params),
            "lr": group.lr,
            "weight_decay": WEIGHT_DECAY if all(p.ndim > 1 for p in group.params) else 0.0,
        }
        for group in make_strategy("layer_decay", {"ratio": 0.1}, 3).groups(model, LR)
    ]
    if name == "adamw":
        return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)
    return torch.optim.SGD(groups, momentum=0.9, nesterov=True)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_the_optimizer_steps_as_torchs_own_does(name):
    one, other = network(), network()
    mine, theirs = ours(one, name), torchs(other, name)
    for seed in range(5):
        step(one, mine, seed)
        step(other, theirs, seed)
    for (key, tensor), twin in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(tensor, twin), key
    assert not torch.equal(one.fc.weight, network().fc.weight)


def test_adamw_is_its_formula():
    """Loshchilov & Hutter, ICLR 2019, algorithm 2, by hand on one weight; the bias does not decay."""
    torch.manual_seed(1)
    model = nn.Linear(3, 1)
    model.get_classifier = lambda: model
    optimizer = make_optimizer(
        OptimizerConfig("adamw", WEIGHT_DECAY, 0.0), make_strategy("full", {}, 1).groups(model, LR)
    )
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in start.items()}
    for t in range(1, 6):
        optimizer.zero_grad()
        (model(torch.full((1, 3), 0.1 * t)) ** 2).sum().backward()
        for name, parameter in model.named_parameters():
            first, second = moments[name]
            gradient = parameter.grad
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            moments[name] = first, second
            start[name] = start[name] * (1 - LR * (WEIGHT_DECAY if name == "weight" else 0.0))
            start[name] -= LR * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
        optimizer.step()
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter, start[name], rtol=1e-5, atol=1e-7), name


def test_each_group_remembers_its_peak_rate():
    optimizer = ours(network(), "adamw")
    assert {group["peak_lr"] for group in optimizer.param_groups} == {
        group["lr"] for group in optimizer.param_groups
    }
    assert max(group["peak_lr"] for group in optimizer.param_groups) == pytest.approx(LR)
    again = ours(network(), "adamw")
    for group in optimizer.param_groups:
        group["lr"] *= 0.5  # as the schedule does before a checkpoint is taken
    again.load_state_dict(optimizer.state_dict())
    assert max(group["peak_lr"] for group in again.param_groups) == pytest.approx(LR)


def test_an_optimizer_that_there_is_not_is_named():
    with pytest.raises(KeyError, match="adamw or sgd, but got 'adam'"):
        make_optimizer(OptimizerConfig("adam", 0.0, 0.0), make_strategy("full", {}, 1).groups(network(), LR))


# --- averaging -----------------------------------------------------------------------------------------


class PlainAverage:
    """The moving average as its definition has it, in a loop over numbers."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.step = decay, 0
        self.average = {name: tensor.double() for name, tensor in model.state_dict().items()}

    def update(self, model: nn.Module) -> None:
        decay = min(self.decay, 1 - (1 + self.step) ** (-2 / 3))
        self.step += 1
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.average[name] = decay * self.average[name] + (1 - decay) * tensor.double()
            else:
                self.average[name] = tensor.double()


@settings(max_examples=10, deadline=None)
@given(decay=st.floats(0.01, 0.9999), steps=st.integers(1, 6))
def test_the_average_is_that_of_its_plain_twin_buffers_included(decay, steps):
    model = network()
    average, plain = make_averaging(model, decay), PlainAverage(model, decay)
    optimizer = ours(model, "adamw")
    for seed in range(steps):
        step(model, optimizer, seed)
        average.update(model)
        plain.update(model)
    averaged = average.module(model).state_dict()
    assert averaged.keys() == plain.average.keys()
    for name, tensor in averaged.items():
        assert torch.allclose(tensor.double(), plain.average[name], rtol=1e-4, atol=1e-6), name
    buffers = [name for name, _ in model.named_buffers() if name.endswith("running_var")]
    assert buffers
    assert any(not torch.equal(averaged[name], network().state_dict()[name]) for name in buffers)


def test_an_average_of_what_does_not_move_is_that():
    model = network()
    average = MovingAverage(model, 0.9)
    for _ in range(20):
        average.update(model)
    for name, tensor in average.module(model).state_dict().items():
        assert torch.allclose(tensor, model.state_dict()[name], rtol=1e-6), name


def test_the_average_is_apart_from_the_network_and_evaluates():
    model = network()
    average = MovingAverage(model, 0.9)
    assert average.module(model) is not model
    before = copy.deepcopy(average.module(model).state_dict())
    step(model, ours(model, "adamw"), 0)
    assert all(torch.equal(before[name], now) for name, now in average.module(model).state_dict().items())
    assert not average.module(model).training


def test_a_resumed_average_goes_on_as_if_it_had_not_stopped():
    model = network()
    optimizer = ours(model, "adamw")
    whole, halted = MovingAverage(model, 0.99), MovingAverage(model, 0.99)
    for seed in range(6):
        if seed == 3:
            saved = copy.deepcopy(halted.state_dict())
            halted = MovingAverage(network(), 0.99)
            halted.load_state_dict(saved)
        step(model, optimizer, seed)
        whole.update(model)
        halted.update(model)
    for name, tensor in whole.module(model).state_dict().items():
        assert torch.equal(tensor, halted.module(model).state_dict()[name]), name


def test_no_average_is_the_network_itself():
    model = network()
    average = make_averaging(model, 0.0)
    assert isinstance(average, NoAverage)
    average.update(model)
    assert average.module(model) is model
    average.load_state_dict(average.state_dict())
    assert average.state_dict() == {}
