"""Searchers by the names that a study's spec uses."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from search.searchers.keep_away import KeepAway

STARTUP = 10
"""Trials drawn at random before TPE's model is asked."""


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return KeepAway(TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, group=True))


def _random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


SEARCHERS: dict[str, Callable[[int], BaseSampler]] = {"tpe": _tpe, "random": _random}
"""Name → the sampler for a seed. TPE: Bergstra et al., NeurIPS 2011; multivariate: Falkner et al., 2018."""


def make_sampler(name: str, seed: int) -> BaseSampler:
    """The sampler called `name`, its random numbers from `seed` in [0, 2**32).

    Raises:
        KeyError: There is no searcher of that name.
    """
    return SEARCHERS[name](seed % 2**32)
