"""Single steps of a loop, and what its optimizer calls its parameters."""

from __future__ import annotations

import torch
from torch import nn

from trainables.preflight.setup import Loop, Setup


def first_step(setup: Setup, loop: Loop, pace: float) -> None:
    """One step on the first images.

    Args:
        setup: Whose.
        loop: A loop of it.
        pace: Factor on the recipe's learning rates; 0 changes no weight.
    """
    rows = torch.arange(min(setup.batch, len(setup.train.labels)))
    inputs, targets = loop.batch(rows)
    loop.train()
    loop.step(inputs, targets, pace)


def groups_of(loop: Loop) -> dict[str, list[nn.Parameter]]:
    """Name → parameters; a group's halves with and without weight decay share a name."""
    found: dict[str, list[nn.Parameter]] = {}
    for number, group in enumerate(loop.optimizer.param_groups):
        found.setdefault(str(group.get("name", number)), []).extend(group["params"])
    return found
