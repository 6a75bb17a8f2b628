"""Rates and momenta of an optimizer, set anew before every step."""

from __future__ import annotations

import torch

BASE = "base_momentum"


def remember_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Note each group's momentum (or β₁) as ``base_momentum``, so that a schedule can cycle it.

    A group without one, or with one of 0, gets none: there is nothing to cycle.
    """
    for group in optimizer.param_groups:
        base = group["momentum"] if "momentum" in group else group.get("betas", (0.0,))[0]
        if base:
            group[BASE] = float(base)


def set_pace(optimizer: torch.optim.Optimizer, rate: float, momentum: float) -> None:
    """Set ``lr = peak_lr · rate``, and momentum (or β₁) to ``base_momentum · momentum``.

    Args:
        optimizer: Its groups have ``peak_lr``, and ``base_momentum`` where `remember_momentum` found one.
        rate: Factor on the peak rate, at least 0.
        momentum: Factor on the momentum, in [0, 1].
    """
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * rate
        if BASE not in group:
            continue
        value = group[BASE] * momentum
        if "momentum" in group:
            group["momentum"] = value
        else:
            group["betas"] = (value, *group["betas"][1:])
