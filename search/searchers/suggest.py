"""Optuna's trial as a `Suggest`: how a space is drawn from a sampler."""

from __future__ import annotations

from optuna.trial import BaseTrial

from spaces import Choice, Float, Int, Leaf, Suggest, Value


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
