"""Fine-tuning strategies: one a file, named in `trainables.parts.PARTS`."""

from __future__ import annotations

import math
from typing import Any

from spaces import InvalidParams
from trainables.parts import PartConfig, part_class
from trainables.strategies.layers import depth_of
from trainables.strategies.strategy import ParamGroup, Strategy

__all__ = ["ParamGroup", "Strategy", "depth_of", "make_strategy"]


def make_strategy(config: PartConfig, epochs: int) -> tuple[Strategy, float]:
    """The strategy that `config` names, and the peak learning rate of the network's top.

    The rate is an option of every strategy, so that each has its own range in a space, but a field of
    none: a strategy is told it with the network.

    Args:
        config: Of the kind ``strategy``; its options are ``lr`` and the fields of the strategy's class.
        epochs: The trial's full budget, for strategies that change on the way.

    Raises:
        InvalidParams: There is no such strategy, the rate is missing, an option is none of this
            strategy's, or a value breaks its law.
    """
    name = f"strategy.{config.name}"
    options = dict(config.options)
    if "lr" not in options:
        raise InvalidParams(f"`{name}.lr` must be given: the peak learning rate of the network's top")
    lr = options.pop("lr")
    if isinstance(lr, bool) or not isinstance(lr, (int, float)) or not (math.isfinite(lr) and lr >= 0):
        raise InvalidParams(f"`{name}.lr >= 0` must hold for a finite number, but got {name}.lr={lr!r}")
    if "epochs" in options:
        raise InvalidParams(f"strategy {config.name!r} has no option 'epochs': its budget is the trial's")
    budget: dict[str, Any] = {"epochs": epochs} if "epochs" in part_class(config).model_fields else {}
    strategy: Strategy = PartConfig(config.kind, config.name, options).make(**budget)
    return strategy, float(lr)
