import torch
from torch import nn

from trainables.lasso import Lasso


def test_the_pull_is_the_gradient_of_the_sum_of_absolute_values():
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(5, 2))]
    for weight in weights:
        weight.grad = torch.randn_like(weight)
    before = [weight.grad.clone() for weight in weights]
    Lasso(weights, 0.3).pull()
    for weight, old in zip(weights, before, strict=True):
        copy = weight.detach().clone().requires_grad_(True)
        (0.3 * copy.abs().sum()).backward()
        assert torch.allclose(weight.grad - old, copy.grad)


def test_what_is_frozen_stays():
    weight = nn.Parameter(torch.ones(2, 2))
    Lasso([weight], 1.0).pull()
    assert weight.grad is None
