"""Who answers when a space is drawn: a seeded random, a given recipe; Optuna's trial is in `search`."""

from __future__ import annotations

import math
import random
from typing import Protocol

from spaces.domain import Choice, Float, Int, Leaf, Params, Value
from spaces.errors import InvalidParams


class Suggest(Protocol):
    """Asked for one parameter at a time, in the space's order."""

    def __call__(self, name: str, domain: Leaf) -> Value:
        """A value of `domain` for the parameter of that qualified name."""
        ...


def random_suggest(seed: int | random.Random) -> Suggest:
    """Uniform draws (uniform in the logarithm with `log`), bounds included, from `seed` alone."""
    rng = seed if isinstance(seed, random.Random) else random.Random(seed)

    def suggest(name: str, domain: Leaf) -> Value:
        match domain:
            case Choice(options=options):
                return rng.choice(options)
            case Int(low=low, high=high, log=True):
                # Each whole number owns the stretch of half a unit to either side of it.
                draw = math.exp(rng.uniform(math.log(low - 0.5), math.log(high + 0.5)))
                return min(high, max(low, round(draw)))
            case Int(low=low, high=high, step=step):
                return low + step * rng.randint(0, (high - low) // step)
            case Float(low=low, high=high, step=None, log=log):
                if low == high:
                    return low
                draw = math.exp(rng.uniform(math.log(low), math.log(high))) if log else rng.uniform(low, high)
                return min(high, max(low, draw))
            case Float(low=low, high=high, step=float() as width):
                return domain.nearest(low + width * rng.randint(0, math.floor((high - low) / width + 1e-9)))
        raise AssertionError(domain)

    return suggest


def fixed_suggest(params: Params) -> Suggest:
    """Answers from `params`, checked; a missing one raises InvalidParams."""

    def suggest(name: str, domain: Leaf) -> Value:
        if name not in params:
            raise InvalidParams(f"{name} must be given, but is missing")
        domain.check(name, params[name])
        return params[name]

    return suggest
