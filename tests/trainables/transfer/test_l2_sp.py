import copy

import torch
from torch.nn import functional

from tests.trainables.transfer.parts import assert_same, gradients, hard, images, made, moved, study
from trainables.strategies.layers import head_names


def test_l2_sp_is_the_gradient_of_the_penalty_that_the_paper_writes(architecture):
    strength = 0.3
    model, source = study(architecture)
    starts = {name: torch.from_numpy(array) for name, array in source.weights.items()}
    bound = made("l2_sp", strength=strength).bind(model, source)
    moved(model)
    buffers = copy.deepcopy(model.state_dict())
    ours = gradients(bound, model, images(6), hard(6))

    model.load_state_dict(buffers)
    model.zero_grad(set_to_none=True)
    distance = sum(
        (p - starts[name]).square().sum()
        for name, p in model.named_parameters()
        if name not in head_names(model)
    )
    (functional.cross_entropy(model(images(6)), hard(6)) + strength / 2 * distance).backward()
    assert_same(ours, {name: p.grad for name, p in model.named_parameters()}, rtol=1e-4, atol=1e-5)


def test_l2_sp_does_not_show_in_the_loss_and_pulls_only_what_has_a_gradient(architecture):
    model, source = study(architecture)
    bound = made("l2_sp", strength=1.0).bind(model, source)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    moved(model)
    assert bound.forward(model, model, images(2), hard(2))[1] == 0
    chosen = [name for name in start if name not in head_names(model)][::2]
    for name, parameter in model.named_parameters():
        parameter.grad = torch.zeros_like(parameter) if name in chosen else None
    bound.pull()
    for name, parameter in model.named_parameters():
        if name in chosen:
            assert torch.equal(parameter.grad, parameter - start[name])
        else:
            assert parameter.grad is None


def test_l2_sp_brings_weights_home_and_not_to_zero():
    model, source = study("test_resnet")
    bound = made("l2_sp", strength=0.5).bind(model, source)
    home = copy.deepcopy(model)
    moved(model)
    head = head_names(model)
    body = [p for name, p in model.named_parameters() if name not in head]
    optimizer = torch.optim.SGD(body, lr=1.0)
    for _ in range(20):
        for parameter in body:
            parameter.grad = torch.zeros_like(parameter)
        bound.pull()
        optimizer.step()
    for (name, now), was in zip(model.named_parameters(), home.parameters(), strict=True):
        assert torch.allclose(now, was, atol=1e-5) == (name not in head)
