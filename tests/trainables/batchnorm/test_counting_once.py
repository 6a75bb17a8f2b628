import copy

import pytest
import torch

from tests.trainables.batchnorm.parts import bound, images, same, state
from trainables.batchnorm import count_once, norms_of


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
