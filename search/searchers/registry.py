"""Searchers by the names that a study's spec uses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, TPESampler

from search.decisions.policy import Searcher
from search.searchers.keep_away import KeepAway
from search.searchers.sampled import Sampled
from search.searchers.uniform import Uniform

STARTUP = 10
"""Trials drawn at random before a sampler's model is asked."""


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return KeepAway(TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, group=True))


def _gp(seed: int) -> BaseSampler:
    return KeepAway(GPSampler(seed=seed, n_startup_trials=STARTUP))


SEARCHERS: dict[str, Callable[[int], Searcher]] = {
    "tpe": lambda seed: Sampled(partial(_tpe, seed)),
    "gp": lambda seed: Sampled(partial(_gp, seed)),
    "random": Uniform,
}
"""Name → the searcher for a seed. TPE: Bergstra et al., NeurIPS 2011; multivariate: Falkner et al., 2018. GP:
Optuna's, with expected improvement in its logarithm; some seconds a proposal."""


def make_searcher(name: str, seed: int) -> Searcher:
    """The searcher called `name`, its random numbers from `seed`.

    Raises:
        KeyError: There is no searcher of that name.
    """
    return SEARCHERS[name](seed % 2**32)
