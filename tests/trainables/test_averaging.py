import copy

import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trainables.averaging import MovingAverage, NoAverage, make_averaging


def network() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=4, in_chans=1, drop_path_rate=0.0)


def ours(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(8, 1, 32, 32, generator=generator)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), torch.arange(8) % 4).backward()
    optimizer.step()


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
    optimizer = ours(model)
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
    step(model, ours(model), 0)
    assert all(torch.equal(before[name], now) for name, now in average.module(model).state_dict().items())
    assert not average.module(model).training


def test_a_resumed_average_goes_on_as_if_it_had_not_stopped():
    model = network()
    optimizer = ours(model)
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
