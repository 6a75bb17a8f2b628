"""Tells a running search where diagnoses gather, once a kind."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from search.diagnoses import counted_as, diagnoses_of
from search.gathering.gathering import Shown, gatherings
from spaces import Params, SearchSpace


class Teller:
    """Keeps what the search's trials have shown; of those that live, that nothing is wrong so far.

    Args:
        space: What recipes are drawn from.
        trials: The search's so far: what they say was told by an earlier driver.
    """

    def __init__(self, space: SearchSpace, trials: Sequence[FrozenTrial]) -> None:
        self._space = space
        self._recipes: dict[int, Params] = {}
        self._shown = {
            trial.number: shown(trial)
            for trial in trials
            if trial.state.is_finished() or trial.intermediate_values
        }
        self._told = frozenset(one.kind for one in gatherings(space, list(self._shown.values())))

    def began(self, trial: FrozenTrial) -> None:
        """A trial begins or goes on."""
        self._recipes[trial.number] = trial.params

    def record(self, number: int, epoch: int) -> None:
        """A trial has come to the end of an epoch."""
        self._shown[number] = Shown(self._recipes[number], frozenset(), epoch)

    def news(self, trial: FrozenTrial) -> list[str]:
        """A trial has ended: the sentences that are true from now on."""
        one = self._shown[trial.number] = shown(trial)
        if one.kinds <= self._told:
            return []
        found = gatherings(self._space, list(self._shown.values()), self._told)
        self._told |= {gathering.kind for gathering in found}
        return [gathering.sentence for gathering in found]


def shown(trial: FrozenTrial) -> Shown:
    """A trial of the ledger as it is added up."""
    return Shown(trial.params, counted_as(diagnoses_of(trial)), len(trial.intermediate_values))
