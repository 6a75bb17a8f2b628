"""Parts of a user's own with a fault in each: they are real in all else."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn

from trainables.parts import Part


class Splatters(Part):
    """An augmentation that makes NaN of one pixel of every image that is brighter than most."""

    brighter: float = 0.3

    def at(self, strength: float, invariances: Any) -> Any:
        def change(images: Tensor) -> Tensor:
            changed = images.clone()
            changed[images.mean((1, 2, 3)) > self.brighter, 0, 0, 0] = float("nan")
            return changed

        return change


class LogOfZero(Part):
    """Cross-entropy of probabilities that were rounded: of one that is 0 there is no logarithm."""

    def make(self, class_counts: Tensor, label_smoothing: float) -> Any:
        return lambda logits, targets: -(targets * logits.softmax(1).round(decimals=2).log()).sum(1)


class Roots(Part):
    """A loss that is finite where its gradient is not."""

    def make(self, class_counts: Tensor, label_smoothing: float) -> Any:
        return lambda logits, targets: (logits * 0).pow(2).sum(1).sqrt()


class Loud(nn.Module):
    """A network whose activations fp32 can hold and fp16 cannot."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.scale = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.scale.weight, 1e6)

    def get_classifier(self) -> nn.Module:
        return self.inner.get_classifier()

    def forward(self, images: Tensor) -> Tensor:
        logits = self.inner(images)
        loud = self.scale(logits[..., None])[..., 0]
        return loud.float() / 1e6


def loud(**arguments: Any) -> nn.Module:
    return Loud(timm.create_model("test_resnet", **arguments))


def detached(**arguments: Any) -> nn.Module:
    """A network whose lower layers get gradients of 0 alone."""
    model = timm.create_model("test_resnet", **arguments)
    model.layer2.register_forward_hook(lambda module, inputs, output: output.detach() + 0.0 * output)
    return model


def broken(**arguments: Any) -> nn.Module:
    """A network whose weights are not finite from the start."""
    model = timm.create_model("test_resnet", **arguments)
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    return model
