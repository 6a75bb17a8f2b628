"""The project's search inside a study of Optuna's own: a sampler and a pruner."""

from __future__ import annotations

import math
from datetime import datetime
from threading import RLock
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.decisions.halving import Halving
from search.decisions.history import History, Status
from search.decisions.ladder import ladder_down
from search.decisions.scheduler import Decision
from search.forecast.forecast import Forecast
from search.schedulers import HALVINGS, SCOUTS
from search.searchers.keep_away import DIVERGED
from search.searchers.optimist import Optimist
from search.searchers.suggest import distribution_of
from spaces import InputError, SearchSpace
from trainables.seeds import derive_seed

ETA = 3.0
"""One in so many goes on at each rung. The stopping type lets through more than that once proposals are good."""
OPTIMISM = 3.0
"""Standard deviations above what is expected, where a recipe is proposed. The project's own search takes more: there a
bad proposal costs little, for it pauses early and is looked at again."""
HOPE = 1.0
"""Standard deviations above what is expected, where a trial is judged. More would favour those not yet seen for long
over those that were: with pauses they are looked at again, without them nothing would reach its end."""


RANKED = 0.0
"""By their distances alone. What promises most runs to its end here, so the end of the ranks would soon be all near
twins of the best, which ranks would set far apart."""


class ForecastSampler(BaseSampler):
    """Proposes what the project's default searcher proposes, to a study of Optuna's own.

    It learns from every value that trials report (`trial.report(score, epoch)`, epochs from 1 without a gap, or from 0)
    and not from final ones alone; from trials that were pruned; from FAIL trials that bear the user attribute
    ``diverged``, as those of `search.Objective` do; a trial that reports what is not finite has diverged too, and is
    pruned. A recipe is proposed as a whole when a trial is asked for. Ask for
    its parameters by their qualified names, as ``space.draw(search.optuna_suggest(trial))`` does; a parameter that is
    not in the space is drawn at random.

    ``optuna.create_study(direction="maximize", sampler=sampler, pruner=sampler.pruner())``

    Args:
        space: What recipes are drawn from.
        max_epochs: Full budget of a trial.
        seed: Of the proposals.
        optimism: Standard deviations above what is expected of a recipe; more tries more of what is unknown.
        ranked: How far the forecast goes by ranks of scores, from 0 to below 1; the project's own goes half.

    Raises:
        InputError: `max_epochs` is below 1, or `ranked` not from 0 to below 1; later, the study has several
            objectives, or is another than before.
    """

    def __init__(
        self,
        space: SearchSpace,
        max_epochs: int,
        seed: int = 0,
        optimism: float = OPTIMISM,
        ranked: float = RANKED,
    ) -> None:
        if max_epochs < 1:
            raise InputError(f"`max_epochs` must be at least 1, but got {max_epochs}")
        if not 0 <= ranked < 1:
            raise InputError(f"`ranked` must be from 0 to below 1, but got {ranked}")
        self._space, self._max_epochs, self._seed = space, max_epochs, seed
        self._forecast = Forecast(derive_seed(seed, "forecast"), ranked=ranked)
        self._searcher = Optimist(self._forecast, derive_seed(seed, "searcher") % 2**32, optimism)
        self._distributions = {name: distribution_of(leaf) for name, leaf in space.leaves().items()}
        self._independent = RandomSampler(seed % 2**32)
        self._mirror = _Mirror(space, max_epochs)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Every parameter of the space."""
        return dict(self._distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next recipe: parameters of the branches it takes, by qualified name."""
        with self._mirror.lock:
            history = self._mirror.follow(study)
            return dict(self._searcher.propose(history, trial.number))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random: a parameter that the space does not have."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def pruner(self) -> ForecastPruner:
        """The pruner that goes with it and shares what it knows."""
        return ForecastPruner(self._mirror, self._forecast)


class ForecastPruner(BasePruner):
    """Prunes trials that promise less than others did; see `search.decisions.halving.Halving`.

    Optuna has no pauses, so what is pruned is gone. Made by `ForecastSampler.pruner`.

    Args:
        mirror: The study as decisions see it.
        forecast: What is believed of it.
    """

    def __init__(self, mirror: _Mirror, forecast: Forecast) -> None:
        self._mirror = mirror
        ladder = ladder_down(1, ETA, mirror.max_epochs, HALVINGS)
        self._scheduler = Halving(ladder, forecast, HOPE, SCOUTS)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial should stop, at its newest report."""
        if not trial.intermediate_values:
            return False
        with self._mirror.lock:
            history = self._mirror.follow(study)
            if trial.number not in history:
                return False
            run = history[trial.number]
            if run.diverged:
                return True
            score = history.score(trial.number)
            return self._scheduler.on_record(history, trial.number, run.epochs, score) is Decision.STOP


class _Mirror:
    """An Optuna study as a history, kept up to date. Who uses it holds its `lock`: trials may run in threads."""

    def __init__(self, space: SearchSpace, max_epochs: int) -> None:
        self._space, self.max_epochs = space, max_epochs
        self._history = History(space, max_epochs)
        self._study: tuple[str, datetime | None] | None = None
        self._ended: set[int] = set()
        self.lock = RLock()

    def __getstate__(self) -> dict[str, Any]:
        """All but the lock: samplers are pickled to be kept beside a study."""
        return {key: value for key, value in self.__dict__.items() if key != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = RLock()

    def follow(self, study: Study) -> History:
        """What the study has seen until now. Scores of a study that minimises change their sign.

        Raises:
            InputError: The study has several objectives, or is another one than before.
        """
        if len(study.directions) > 1:
            raise InputError(
                f"a study must have one objective, but {study.study_name!r} has {len(study.directions)}"
            )
        trials = study.get_trials(deepcopy=False)
        # By its first trial: another process, or the same storage opened anew, knows the study by other objects.
        start = trials[0].datetime_start if trials else None
        name, before = self._study or (study.study_name, start)
        if name != study.study_name or (before and start and before != start):
            raise InputError("a sampler serves one study; make another ForecastSampler for another study")
        self._study = name, before or start  # one that is only enqueued has not started
        sign = 1.0 if study.direction is StudyDirection.MAXIMIZE else -1.0
        for trial in trials:
            if trial.number not in self._ended:
                self._take_in(trial, sign)
        return self._history

    def _take_in(self, trial: FrozenTrial, sign: float) -> None:
        number, history = trial.number, self._history
        ended = trial.state.is_finished()
        if number not in history:
            recipe = {name: value for name, value in trial.params.items() if name in self._space.leaves()}
            try:
                self._space.check(recipe)
            except InputError:  # still being drawn, or of another making
                if ended:
                    self._ended.add(number)
                return
            history.begin(number, recipe)
        first = min(trial.intermediate_values, default=1)
        run = history[number]
        while (epoch := run.epochs + 1) <= self.max_epochs and (step := epoch + min(first, 1) - 1) in (
            trial.intermediate_values
        ):
            score = sign * trial.intermediate_values[step]
            if not math.isfinite(score):
                run.diverged = True
                break
            history.record(number, epoch, score)
        if not ended:
            return
        self._ended.add(number)
        if trial.state is TrialState.COMPLETE:
            run.status = Status.COMPLETE
            if not run.epochs and trial.value is not None and math.isfinite(trial.value):
                history.record(number, self.max_epochs, sign * trial.value)
        else:
            run.status = Status.STOPPED if trial.state is TrialState.PRUNED else Status.FAILED
            run.diverged = run.diverged or DIVERGED in trial.user_attrs
