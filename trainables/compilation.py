"""``torch.compile``: once for networks that are alike, and whether it pays for itself, by measuring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from timm.layers import DropPath
from torch import Tensor, nn

from trainables.models.stochastic_depth import replace_paths
from trainables.precision import Precision
from trainables.timing import pass_seconds

MOST_SHAPES = 64
"""How many forms of one network a process keeps compiled; torch would keep eight and go on uncompiled after them. A
strategy that wakes one layer after the other has a form for each."""


def compiled(model: nn.Module, shape: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """A network as it is called in training, compiled: once for all trials of a process whose networks are alike.

    To the compiler a rate is a constant, and another one a reason to compile anew. So the dropout of timm's classifiers
    stays outside, with the classifier, and stochastic depth takes its rate from a tensor.

    Args:
        model: The network, changed here.
        shape: Of an image that it takes, [C, H, W].
    """
    from torch import _dynamo

    _dynamo.config.recompile_limit = max(MOST_SHAPES, _dynamo.config.recompile_limit)
    replace_paths(model, lambda name, path: _Path(path).to(_device_of(model)))
    if not _is_features_and_head(model, shape):
        whole: Callable[[Tensor], Tensor] = torch.compile(model)
        return whole
    timm: Any = model
    features: Callable[[Tensor], Tensor] = torch.compile(timm.forward_features)

    def forward(inputs: Tensor) -> Tensor:
        logits: Tensor = timm.forward_head(features(inputs))
        return logits

    return forward


class _Path(nn.Module):
    """Stochastic depth whose rate is a tensor."""

    keep: Tensor

    def __init__(self, path: DropPath) -> None:
        super().__init__()
        self.scaled = path.scale_by_keep
        self.register_buffer("keep", torch.tensor(1 - path.drop_prob), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """What is left of features [B, …]."""
        if not self.training:
            return x
        drawn = torch.rand((len(x), *(1,) * (x.ndim - 1)), device=x.device) < self.keep
        factor = drawn.to(x.dtype)
        return x * (factor / self.keep.to(x.dtype) if self.scaled else factor)


@torch.no_grad()
def _is_features_and_head(model: nn.Module, shape: Sequence[int]) -> bool:
    """Whether the network is what timm's usually are: their features, and then the head."""
    timm: Any = model
    if not (hasattr(model, "forward_features") and hasattr(model, "forward_head")):
        return False
    images = torch.zeros((2, *shape), device=_device_of(model))
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        return bool(torch.equal(model(images), timm.forward_head(timm.forward_features(images))))
    except Exception:  # functions of those names that mean something else
        return False
    finally:
        for module, training in modes.items():
            module.training = training


def _device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def compile_pays(
    make_model: Callable[[], nn.Module], batch: Tensor, precision: Precision, steps: int
) -> bool:
    """Whether compiling a network costs less than it saves over `steps` steps of training.

    Compiled and plain are timed in turn and their best rounds compared; the time of the first compiled
    step, which compiles, is the price. A network that cannot be compiled here does not pay.

    Args:
        make_model: Makes the network, in training mode, on the batch's device.
        batch: A normalised batch [B, C, H, W] of the study's size.
        precision: The arithmetic that is trained in.
        steps: Steps of one trial at full length.
    """
    plain = make_model()
    try:
        quick = compiled(make_model(), batch.shape[1:])
        price = pass_seconds(quick, batch, precision)
        pass_seconds(plain, batch, precision)
        rounds = [
            (pass_seconds(plain, batch, precision), pass_seconds(quick, batch, precision)) for _ in range(10)
        ]
    except Exception:  # no compiler, or one that does not know this network: each fails in its own way
        return False
    saved = min(slow for slow, _ in rounds) - min(fast for _, fast in rounds)
    return saved * steps > price
