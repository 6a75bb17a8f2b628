"""Optuna's trial as a `Suggest`: how a space is drawn from a sampler."""

from __future__ import annotations

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

from spaces import Choice, Float, Int, Leaf, Params, SearchSpace, Suggest, Value


def optuna_suggest(trial: BaseTrial) -> Suggest:
    """Ask `trial` for each parameter by its qualified name. One name means one distribution, for ever."""

    def suggest(name: str, domain: Leaf) -> Value:
        match domain:
            case Float(low=low, high=high, log=log, step=step):
                return float(trial.suggest_float(name, low, high, log=log, step=step))
            case Int(low=low, high=high, log=log, step=step):
                return int(trial.suggest_int(name, low, high, log=log, step=step))
            case Choice(options=options):
                value: Value = trial.suggest_categorical(name, options)
                return value

    return suggest


def distributions_of(space: SearchSpace, params: Params) -> dict[str, BaseDistribution]:
    """What `optuna_suggest` would ask for to get `params`, by qualified names.

    Raises:
        InvalidParams: They are not of the space.
    """
    space.check(params)
    found: dict[str, BaseDistribution] = {}

    def suggest(name: str, domain: Leaf) -> Value:
        found[name] = distribution_of(domain)
        return params[name]

    space.draw(suggest)
    return found


def distribution_of(domain: Leaf) -> BaseDistribution:
    """A parameter's domain as Optuna's distribution, the one that `optuna_suggest` asks for."""
    match domain:
        case Float(low=low, high=high, log=log, step=step):
            return FloatDistribution(low, high, log=log, step=step)
        case Int(low=low, high=high, log=log, step=step):
            return IntDistribution(low, high, log=log, step=step)
        case Choice(options=options):
            return CategoricalDistribution(options)
