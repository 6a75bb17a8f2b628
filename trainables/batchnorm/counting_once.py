"""BatchNorm where gradient checkpointing computes activations twice."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from trainables.batchnorm.statistics import norms_of

HELD = "held_statistics"
"""Attribute of a BatchNorm that is computed again: its momentum and its count of batches."""


def count_once(model: nn.Module) -> None:
    """Make BatchNorm take in a batch once, also where gradient checkpointing computes activations twice.

    Without it each batch moves the running statistics a second time in the backward pass, and what is
    computed again is not what it was. To be called once, on a network that checkpoints.
    """
    for norm in norms_of(model):
        norm.register_forward_pre_hook(_hold)
        norm.register_forward_hook(_release, always_call=True)  # recomputing ends by an exception


def _hold(norm: Any, inputs: tuple[Tensor, ...]) -> None:
    """In a backward pass: let the running statistics stay where they are."""
    if torch.compiler.is_compiling() or not norm.training or torch._C._current_graph_task_id() == -1:
        return
    setattr(norm, HELD, (norm.momentum, norm.num_batches_tracked.clone()))
    norm.momentum = 0.0


def _release(norm: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """Afterwards: as before."""
    if getattr(norm, HELD, None) is None:
        return
    norm.momentum, counted = getattr(norm, HELD)
    norm.num_batches_tracked.copy_(counted)
    setattr(norm, HELD, None)
