"""An Optuna sampler as a searcher."""

from __future__ import annotations

from collections.abc import Callable

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from search.decisions.history import History, Run, Status
from search.quiet import hushed_optuna
from search.searchers.keep_away import DIVERGED
from search.searchers.suggest import optuna_suggest
from spaces import Params
from trainables.seeds import derive_seed


class Sampled:
    """Lets a sampler propose, on a study in memory that mirrors the history.

    The ledger's own study would do, but reading it again for each proposal costs more the longer a study is, and
    a simulation has none. The mirror tells the true states: COMPLETE with the score, PRUNED for what was stopped,
    FAIL (marked where the recipe was at fault, see `KeepAway`) for what broke.

    Args:
        make: Makes the sampler for a seed.
        seed: From it and the number of the first trial proposed follows the sampler's own: after a restart the
            same one would propose the same recipes again.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._study: optuna.Study | None = None
        self._trials: dict[int, optuna.Trial] = {}
        self._reported: dict[int, int] = {}
        self._told: set[int] = set()

    def propose(self, history: History, number: int) -> Params:
        """The sampler's recipe."""
        # The GP warns of each parameter that it draws at random: in a space with switches, some at every proposal.
        with hushed_optuna(optuna.logging.ERROR):
            study = self._mirror(history, number)
            trial = study.ask()
            self._trials[number] = trial
            return history.space.draw(optuna_suggest(trial))

    def _mirror(self, history: History, number: int) -> optuna.Study:
        if self._study is None:
            sampler = self._make(derive_seed(self._seed, "sampler", number) % 2**32)
            self._study = optuna.create_study(direction="maximize", sampler=sampler)
        for run in history:
            if run.number not in self._told:
                self._follow(self._study, history, run)
        return self._study

    def _follow(self, study: optuna.Study, history: History, run: Run) -> None:
        trial = self._trials.get(run.number)
        if trial is None:  # not of our own proposal: the baseline, or from before a restart
            study.enqueue_trial(dict(run.params))
            trial = self._trials[run.number] = study.ask()
            history.space.draw(optuna_suggest(trial))
        scores = history.best_so_far(run.number)
        for epoch in range(self._reported.get(run.number, 0), len(scores)):
            trial.report(scores[epoch], epoch + 1)
        self._reported[run.number] = len(scores)
        if not run.ended:
            return
        self._told.add(run.number)
        if run.status is Status.COMPLETE:
            study.tell(trial, history.score(run.number))
        elif run.status is Status.STOPPED:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            if run.diverged:
                trial.set_user_attr(DIVERGED, True)
            study.tell(trial, state=TrialState.FAIL)
