"""What the tests of this folder share."""

import timm
import torch
from torch import nn

from trainables.batchnorm import norms_of
from trainables.parts import PartConfig

WITH = ["test_resnet", "test_efficientnet"]  # BatchNorm2d; timm's BatchNormAct2d with SiLU inside


WITHOUT = {"test_vit": {"img_size": 32}, "test_convnext": {}}


def network(name: str, seed: int = 0, **more) -> nn.Module:
    """Its blocks do something: timm begins with blocks whose last BatchNorm has a scale of zero."""
    torch.manual_seed(seed)
    model = timm.create_model(name, num_classes=5, **WITHOUT.get(name, {}), **more)
    for norm in norms_of(model):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
    return model


def made(name: str, **options):
    return PartConfig("batchnorm", name, options).make()


def bound(name: str, model: nn.Module, **options):
    part = made(name, **options)
    part.bind(model, "mine")
    return part


def images(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 + 1


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
