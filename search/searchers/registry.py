"""Searchers by the names that a study's spec uses."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, TPESampler

from search.decisions.policy import Searcher
from search.forecast.forecast import Forecast
from search.searchers.keep_away import KeepAway
from search.searchers.optimist import Optimist
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


SEARCHERS: dict[str, Callable[[int, Forecast], Searcher]] = {
    "default": lambda seed, forecast: Optimist(forecast, seed),
    "tpe": lambda seed, forecast: Sampled(_tpe, seed),
    "gp": lambda seed, forecast: Sampled(_gp, seed),
    "random": lambda seed, forecast: Uniform(seed),
}
"""Name → the searcher for a seed and a forecast. TPE: Bergstra et al., NeurIPS 2011; multivariate: Falkner et al.,
2018. GP: Optuna's, with expected improvement in its logarithm; some seconds a proposal."""


def make_searcher(name: str, seed: int, forecast: Forecast | None = None) -> Searcher:
    """The searcher called `name`.

    Args:
        name: ``default``, ``tpe``, ``gp`` or ``random``.
        seed: Of its random numbers.
        forecast: What ``default`` believes, where a scheduler shares it; its own if none.

    Raises:
        KeyError: There is no searcher of that name.
    """
    seed %= 2**32
    return SEARCHERS[name](seed, forecast if forecast is not None else Forecast(seed))
