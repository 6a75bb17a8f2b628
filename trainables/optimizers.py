"""Optimizers over a strategy's parameter groups."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from trainables.config import OptimizerConfig
from trainables.strategies import ParamGroup


def make_optimizer(config: OptimizerConfig, groups: Sequence[ParamGroup]) -> torch.optim.Optimizer:
    """The optimizer that `config` names, over `groups`.

    Each of the optimizer's groups keeps its peak rate as ``peak_lr``: the loop sets
    ``lr = peak_lr × schedule(progress)`` before every step.

    Raises:
        KeyError: There is no optimizer of that name.
    """
    torch_groups = [
        {
            "params": list(group.params),
            "lr": group.lr,
            "peak_lr": group.lr,
            "weight_decay": config.weight_decay if group.decays else 0.0,
        }
        for group in groups
    ]
    match config.name:
        case "adamw":
            return torch.optim.AdamW(torch_groups)
        case "sgd":
            return torch.optim.SGD(torch_groups, momentum=0.9, nesterov=True)
        case name:
            raise KeyError(f"`optimizer` must be adamw or sgd, but got {name!r}")
