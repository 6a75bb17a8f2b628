"""A sampler that learns from divergence: what broke is shown to it as infeasible, not hidden from it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, cast

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

DIVERGED = "diverged"
"""User attribute of a FAIL trial whose recipe, not the program, was at fault."""

_CONSTRAINT = f"constraints:{DIVERGED}"
"""As `optuna.trial.Trial.set_constraint` stores it; a value above 0 means infeasible."""


class KeepAway(BaseSampler):
    """Wraps a sampler so that it keeps away from where trials diverged.

    A diverged trial is FAIL, and Optuna's samplers do not see FAIL trials: they would propose its
    neighbourhood again and again. Here the sampler is shown such trials as pruned ones that violate
    a constraint, which constraint-aware samplers (TPE, GP, NSGA-II) rank below all others. The
    ledger is not changed.

    Args:
        sampler: The sampler that proposes.
    """

    def __init__(self, sampler: BaseSampler) -> None:
        self._sampler = sampler

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The inner sampler's, over the shown trials."""
        space: dict[str, BaseDistribution] = self._sampler.infer_relative_search_space(_shown(study), trial)
        return space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The inner sampler's, over the shown trials."""
        sample: dict[str, Any] = self._sampler.sample_relative(_shown(study), trial, search_space)
        return sample

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The inner sampler's, over the shown trials."""
        return self._sampler.sample_independent(_shown(study), trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Passed on."""
        self._sampler.before_trial(_shown(study), trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Passed on."""
        self._sampler.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Passed on."""
        self._sampler.reseed_rng()

    def __str__(self) -> str:
        return f"{type(self).__name__}({self._sampler})"


class _Shown:
    """A study whose diverged trials look pruned and infeasible; everything else is the study's own."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self, deepcopy: bool = True, states: Sequence[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        wanted = None if states is None else tuple(states)
        if wanted is not None and TrialState.PRUNED in wanted:
            wanted = (*wanted, TrialState.FAIL)
        trials = self._study._get_trials(deepcopy=deepcopy, states=wanted, use_cache=use_cache)
        return [
            _as_infeasible(trial) if trial.state is TrialState.FAIL else trial
            for trial in trials
            if trial.state is not TrialState.FAIL or DIVERGED in trial.user_attrs or states is None
        ]

    get_trials: Callable[..., list[FrozenTrial]] = _get_trials

    @property
    def trials(self) -> list[FrozenTrial]:
        return self._get_trials()


def _shown(study: Study) -> Study:
    return cast(Study, study if isinstance(study, _Shown) else _Shown(study))


def _as_infeasible(trial: FrozenTrial) -> FrozenTrial:
    if DIVERGED not in trial.user_attrs:
        return trial
    shown = copy.copy(trial)
    shown.state = TrialState.PRUNED
    shown.system_attrs = {**trial.system_attrs, _CONSTRAINT: 1.0}
    return shown
