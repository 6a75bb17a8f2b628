"""Faults as users make them: parts and networks of their own that have one each."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.augmentation.standard import Standard
from trainables.optimizers.optimizer import Groups
from trainables.optimizers.sgd import SGD
from trainables.strategies.full import Full
from trainables.strategies.strategy import ParamGroup


class FrozenHead(Full):
    """Learns everything but the new classifier."""

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        head = {id(one) for one in model.get_classifier().parameters()}
        for one in model.get_classifier().parameters():
            one.requires_grad_(False)
        return [
            ParamGroup(
                group.name, tuple(one for one in group.params if id(one) not in head), group.lr, group.decays
            )
            for group in super().groups(model, lr)
        ]


class ZeroRate(Full):
    """A rate that somebody multiplied away."""

    def groups(self, model: nn.Module, lr: float) -> list[ParamGroup]:
        return super().groups(model, 0.0)


class _Keeps(torch.optim.SGD):
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgotten."""


class KeepsGradients(SGD):
    """An optimizer whose gradients are never cleared."""

    def make(self, groups: Groups) -> torch.optim.Optimizer:
        return _Keeps(list(groups), lr=0.0, momentum=self.momentum)


class DividesByZero(Standard):
    """An augmentation that makes the darkest image not a number."""

    def at(self, strength: float, invariances: Any) -> Any:
        del strength, invariances
        return lambda images: images / (images.mean((1, 2, 3), keepdim=True) > 0.1).float()


def _resnet(**arguments: Any) -> nn.Module:
    return timm.create_model("test_resnet", **arguments)


def double_softmax(**arguments: Any) -> nn.Module:
    """Ends with a softmax of its own."""
    model = _resnet(**arguments)
    model.register_forward_hook(lambda module, given, outputs: outputs.softmax(1))
    return model


def _to_training(module: nn.Module, given: Any) -> None:
    module.train()


def always_training(**arguments: Any) -> nn.Module:
    """BatchNorm that never leaves training."""
    model = _resnet(**arguments)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_pre_hook(_to_training)
    return model


def overflows(**arguments: Any) -> nn.Module:
    """A classifier whose outputs are beyond what 16 bits with five for the exponent can hold."""
    model = _resnet(**arguments)
    nn.init.normal_(model.fc.weight, std=1e6)
    return model
