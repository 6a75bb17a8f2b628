"""What the tests of this folder share."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.batchnorm import re_estimate
from trainables.models.backbone import Backbone
from trainables.models.network import make_network, make_source
from trainables.parts import PartConfig
from trainables.transfer import Source

ARCHITECTURES = {
    "test_resnet": {},
    "test_vit": {"img_size": 32},
    "test_convnext": {},
    "test_efficientnet": {},
}


CLASSES, SOURCE_CLASSES = 5, 7


def backbone(name: str) -> Backbone:
    return Backbone(name, name, arguments=ARCHITECTURES[name])


def weights_of(name: str, classes: int = SOURCE_CLASSES) -> dict:
    torch.manual_seed(1)
    model = make_network(backbone(name), None, classes=classes, channels=3)
    # Its blocks do something: timm begins with blocks whose last BatchNorm has a scale of zero.
    for key, parameter in model.named_parameters():
        if parameter.ndim == 1 and key.endswith("weight"):
            nn.init.uniform_(parameter, 0.5, 1.5)
    re_estimate(model, [images(64, 7)])  # as if it had been trained
    return {key: tensor.numpy().copy() for key, tensor in model.state_dict().items()}


def images(count: int, seed: int = 1, channels: int = 3) -> Tensor:
    return torch.randn(count, channels, 32, 32, generator=torch.Generator().manual_seed(seed))


def labels(count: int, seed: int = 1) -> Tensor:
    return torch.randint(0, CLASSES, (count,), generator=torch.Generator().manual_seed(seed))


def hard(count: int, seed: int = 1) -> Tensor:
    return functional.one_hot(labels(count, seed), CLASSES).float()


def soft(count: int) -> Tensor:
    return 0.3 * hard(count, 1) + 0.7 * hard(count, 2)


def study(name: str, channels: int = 3, **knobs) -> tuple[nn.Module, Source]:
    weights = weights_of(name)
    torch.manual_seed(0)
    model = make_network(backbone(name), weights, classes=CLASSES, channels=channels, **knobs)
    source = Source(
        backbone=name,
        make=lambda: make_source(backbone(name), weights, channels),
        weights=weights,
        train_batches=lambda: iter([(images(8, s, channels), labels(8, s)) for s in (1, 2)]),
        classes=CLASSES,
    )
    return model, source


def made(name: str, **options):
    return PartConfig("transfer", name, options).make()


def moved(model: nn.Module, by: float = 0.02) -> nn.Module:
    """The network some steps of training later."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += by * torch.randn(parameter.shape, generator=generator)
    return model


def gradients(bound, model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """What a step of the loop leaves in ``.grad``."""
    model.zero_grad(set_to_none=True)
    logits, extra = bound.forward(model, model, inputs, targets)
    (functional.cross_entropy(logits, targets) + extra).backward()
    bound.pull()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor], **close):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], msg=lambda m, n=name: f"{n}: {m}", **close)
