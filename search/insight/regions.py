"""Where the best trials lie: PED-ANOVA, by Optuna's own evaluator."""

from __future__ import annotations

import warnings

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import TrialState, create_trial

from search.decisions.history import History
from search.encoding import Axis
from search.insight.surface import Surface
from search.quiet import hushed_optuna
from spaces import Choice, Value

BEST, FEWEST = 0.1, 5
"""Share of the trials that counts as the best, and how many they are at least."""


def densities(history: History, surface: Surface) -> dict[str, float]:
    """How far the best trials differ from all in each parameter, as shares that sum to 1.

    The best are those of which the surface expects most, so that pruned trials are ranked too. Numbers are handed over
    as places in their ranges: on the scale on which they are drawn.

    Returns:
        Empty where there are too few trials to have a best tenth.
    """
    runs = [run for run in history if run.scores]
    if len(runs) < 2 * FEWEST:
        return {}
    expected, _ = surface.final(history, [run.number for run in runs])
    axes = {axis.name: axis for axis in surface.encoding.axes}
    with hushed_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                create_trial(
                    state=TrialState.COMPLETE,
                    value=float(score),
                    params={name: _place(axes[name], value) for name, value in run.params.items()},
                    distributions={name: _distribution(axes[name]) for name in run.params},
                )
                for run, score in zip(runs, expected, strict=True)
            ]
        )
        evaluator = PedAnovaImportanceEvaluator(target_quantile=max(BEST, FEWEST / len(runs)))
        found = evaluator.evaluate(study)
    whole = float(np.sum(list(found.values())))
    return {name: value / whole for name, value in found.items()} if whole > 0 else {}


def _place(axis: Axis, value: Value) -> Value:
    return value if isinstance(axis.leaf, Choice) else axis.place(float(value))


def _distribution(axis: Axis) -> BaseDistribution:
    if isinstance(axis.leaf, Choice):
        return CategoricalDistribution(axis.leaf.options)
    return FloatDistribution(0.0, 1.0)
