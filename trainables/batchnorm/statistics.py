"""BatchNorm's running statistics: found, kept, and taken anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

SHARE = "running_share"
"""Attribute of a stochastic BatchNorm: how likely a channel takes the running statistics, in [0, 1]."""


def norms_of(model: nn.Module) -> list[_BatchNorm]:
    """All BatchNorm layers that keep running statistics: torch's, and timm's with an activation inside."""
    return [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    ]


@contextmanager
def statistics_kept(model: nn.Module) -> Iterator[None]:
    """Whatever happens to BatchNorm's running statistics inside is undone at the end."""
    live = [buffer for norm in norms_of(model) for buffer in norm.buffers(recurse=False)]
    kept = [buffer.detach().clone() for buffer in live]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in zip(live, kept, strict=True):
                buffer.copy_(before)


@torch.no_grad()
def re_estimate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Forget the running statistics and take those of `batches`: the mean over images of each batch's own.

    Only BatchNorms in training mode are touched: a frozen one keeps what it has. Everything else is in
    evaluation mode meanwhile, so nothing is drawn at random; modes are as before at the end. Without a
    batch, or a BatchNorm in training mode, nothing happens.

    Args:
        model: The network.
        batches: Normalised inputs [B, C, H, W] on the network's device. A last batch of a single image is
            left out where others are larger: over one image there is little to average, or nothing.

    Source: Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", 2016
    (arXiv:1603.04779).
    """
    norms = [norm for norm in norms_of(model) if norm.training]
    if not norms:
        return
    modes = {module: module.training for module in model.modules()}
    before = [(norm, norm.momentum, getattr(norm, SHARE, None)) for norm in norms]
    try:
        model.eval()
        for norm in norms:
            norm.training = True  # of the layer itself: a dropout inside stays off
            if hasattr(norm, SHARE):
                setattr(norm, SHARE, 0.0)
        seen = largest = 0
        for inputs in batches:
            largest = max(largest, len(inputs))
            if len(inputs) == 1 < largest:
                continue
            if not seen:
                for norm in norms:
                    norm.reset_running_stats()
            seen += len(inputs)
            for norm in norms:
                norm.momentum = len(inputs) / seen
            model(inputs)
    finally:
        for norm, momentum, share in before:
            norm.momentum = momentum
            if share is not None:
                setattr(norm, SHARE, share)
        for module, training in modes.items():
            module.training = training
