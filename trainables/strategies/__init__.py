"""Fine-tuning strategies, by the names that spaces use."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from spaces import InvalidParams
from trainables.strategies.feature_extraction import FeatureExtraction
from trainables.strategies.full import Full
from trainables.strategies.gradual_unfreezing import GradualUnfreezing
from trainables.strategies.layer_decay import LayerDecay
from trainables.strategies.layers import depth_of
from trainables.strategies.strategy import ParamGroup, Strategy

__all__ = ["STRATEGIES", "ParamGroup", "Strategy", "depth_of", "make_strategy"]

STRATEGIES: dict[str, type[Any]] = {
    "feature_extraction": FeatureExtraction,
    "full": Full,
    "layer_decay": LayerDecay,
    "gradual_unfreezing": GradualUnfreezing,
    "scratch": Full,
}


def make_strategy(name: str, options: Mapping[str, float], epochs: int) -> Strategy:
    """The strategy called `name`; its options are the fields of its class.

    Args:
        name: A key of `STRATEGIES`.
        options: Its options, all of them and no others.
        epochs: The trial's full budget, for strategies that change on the way.

    Raises:
        InvalidParams: No strategy has that name, or it has other options.
    """
    if name not in STRATEGIES:
        raise InvalidParams(f"`strategy` must be one of {', '.join(STRATEGIES)}, but got {name!r}")
    kind = STRATEGIES[name]
    fields = {field.name for field in dataclasses.fields(kind)}
    wanted = fields - {"epochs"}
    if set(options) != wanted:
        raise InvalidParams(
            f"strategy {name!r} takes the options {{{', '.join(sorted({'lr', *wanted}))}}}, "
            f"but got {{{', '.join(sorted({'lr', *options}))}}}"
        )
    strategy: Strategy = kind(**options, **({"epochs": epochs} if "epochs" in fields else {}))
    return strategy
