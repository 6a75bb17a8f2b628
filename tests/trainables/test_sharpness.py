import copy

import pytest
import timm
import torch
from torch import nn

from trainables.parts import PartConfig


def sam(**options):
    return PartConfig("sharpness", "sam", options).make()


def closure(model, images, labels, scale=1.0):
    def compute() -> torch.Tensor:
        loss = nn.functional.cross_entropy(model(images), labels)
        (loss * scale).backward()
        return loss.detach().view(1)

    return compute


def data(seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(12, 6, generator=rng), torch.randint(3, (12,), generator=rng)


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))


def reference_step(model, optimizer, images, labels, rho, adaptive) -> None:
    """SAM as its paper has it, in ten lines."""
    parameters = list(model.parameters())
    start = [p.detach().clone() for p in parameters]
    loss = nn.functional.cross_entropy(model(images), labels)
    slopes = torch.autograd.grad(loss, parameters)
    sizes = [p.detach().abs() if adaptive else torch.ones_like(p) for p in parameters]
    norm = torch.cat([(s * g).flatten() for s, g in zip(sizes, slopes, strict=True)]).norm()
    with torch.no_grad():
        for p, s, g in zip(parameters, sizes, slopes, strict=True):
            p += rho * s * s * g / norm
    top = torch.autograd.grad(nn.functional.cross_entropy(model(images), labels), parameters)
    for p, old, g in zip(parameters, start, top, strict=True):
        p.data, p.grad = old, g
    optimizer.step()


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_sam_is_its_ten_line_reference(kind, adaptive):
    ours, theirs = small(), small()
    mine, other = kind(ours.parameters(), lr=0.05), kind(theirs.parameters(), lr=0.05)
    part = sam(rho=0.1, adaptive=adaptive)
    for seed in range(6):
        images, labels = data(seed)
        mine.zero_grad()
        part.gradients(closure(ours, images, labels), mine, ours)
        mine.step()
        reference_step(theirs, other, images, labels, 0.1, adaptive)
    for one, twin in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, twin, atol=1e-6)


def test_the_weights_come_back_bit_by_bit_and_the_figures_are_of_the_first_pass():
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    images, labels = data()
    before = copy.deepcopy(model.state_dict())
    first = nn.functional.cross_entropy(model(images), labels)
    figures = sam(rho=0.5).gradients(closure(model, images, labels), optimizer, model)
    assert torch.equal(figures, first.detach().view(1))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_passes_are_counted():
    assert PartConfig("sharpness", "none").make().passes == 1
    assert sam().passes == 2


def test_plain_computes_once():
    model = small()
    calls = []
    PartConfig("sharpness", "none").make().gradients(
        lambda: calls.append(1) or torch.zeros(1), torch.optim.SGD(model.parameters(), lr=0.1), model
    )
    assert len(calls) == 1


def test_batchnorm_sees_the_batch_once_and_dropout_is_the_same_in_both_passes():
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=3, drop_rate=0.5).train()
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    images, labels = torch.randn(6, 3, 32, 32), torch.arange(6) % 3
    masks = []
    handle = model.fc.register_forward_pre_hook(lambda _, given: masks.append(given[0] == 0))
    sam().gradients(closure(model, images, labels), optimizer, model)
    handle.remove()
    assert len(masks) == 2
    dropped = masks[0].float().mean()
    assert 0.3 < dropped < 0.8
    assert (masks[0] == masks[1]).float().mean() > 0.98  # a feature may also be 0 by itself
    twin(images)
    statistics = [name for name in twin.state_dict() if "running" in name or "batches" in name]
    assert statistics
    for name in statistics:
        assert torch.allclose(model.state_dict()[name], twin.state_dict()[name]), name


def test_a_scaled_gradient_climbs_the_same_way():
    images, labels = data()
    seen = []
    for scale in (1.0, 2.0**12):
        model = small()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        sam(rho=0.3).gradients(closure(model, images, labels, scale), optimizer, model)
        seen.append(torch.cat([p.grad.flatten() / scale for p in model.parameters()]))
    assert torch.allclose(*seen, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_gradient_that_is_not_finite_climbs_nowhere(bad):
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = [p.detach().clone() for p in model.parameters()]
    places = []

    def compute() -> torch.Tensor:
        places.append([p.detach().clone() for p in model.parameters()])
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, bad)
        return torch.zeros(1)

    sam().gradients(compute, optimizer, model)
    for place in [*places, list(model.parameters())]:
        for one, other in zip(place, before, strict=True):
            assert torch.equal(one, other)
    assert all(not torch.isfinite(p.grad).any() for p in model.parameters())


def test_what_is_frozen_does_not_climb():
    model = small()
    model[0].weight.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    images, labels = data()
    moved = []
    real = closure(model, images, labels)
    before = model[0].weight.detach().clone()

    def compute() -> torch.Tensor:
        moved.append(not torch.equal(model[0].weight, before))
        return real()

    sam().gradients(compute, optimizer, model)
    assert moved == [False, False]
