"""Perturbation: the winner again with one parameter changed at a time, on the seeds that measured the winner."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from optuna.trial import FrozenTrial, TrialState

from search.answer.changes import Change, Changes, margins
from search.answer.confirmation import measuring_seeds
from search.ledger import Ledger
from spaces import Choice, InputError, Params, SearchSpace, Value
from spaces.errors import known_names

WINNER = "winner"
RECIPE = "recipe"
"""The attribute of a training that tells its recipe from every other."""


class Perturbation:
    """Enters the trainings that a perturbation needs into its ledger, and reads what they say.

    Trainings are known by their recipe and seed: where a longer search has brought another winner, what was trained
    about an earlier one stays, and counts as far as recipes are the same. The test split stays closed.

    Args:
        ledger: The perturbation's own.
        confirm: The confirmation's, whose trainings of the winner need not be done again.
        winner: The recipe that is changed.
        seeds: With how many seeds each change is trained: the confirmation's, and further ones where it has fewer.
        seed: The study's.
        only: Parameters to change; all that can vary if empty.
    """

    def __init__(
        self,
        ledger: Ledger,
        confirm: Ledger,
        winner: Params,
        *,
        seeds: int,
        seed: int,
        only: Sequence[str] = (),
    ) -> None:
        self.ledger = ledger
        self._confirm = confirm
        self._winner = dict(winner)
        self._seeds = measuring_seeds(seed, seeds)
        self._changes: list[tuple[str, Params]] = []
        for name, params in changed(ledger.space, winner):
            if not only or name in only:
                self._changes.append((name, params))

    def enter(self) -> int:
        """Enqueue what is not trained yet, seed by seed; how many trainings the ledger holds afterwards."""
        known = self._known()
        recipes: list[tuple[str, Params]] = [(WINNER, self._winner)]
        recipes += [(_label(name, params), params) for name, params in self._changes]
        for seed in self._seeds:
            for label, params in recipes:
                if (_key(params), seed) not in known:
                    self.ledger.enqueue(params, candidate=label, seed=seed, **{RECIPE: _key(params)})
        return len(self.ledger.trials())

    @property
    def count(self) -> int:
        """How many changes there are."""
        return len(self._changes)

    def changes(self) -> Changes:
        """What is known so far."""
        known = self._known()
        center = self._scores(known, self._winner)
        rows = [self._scores(known, params) for _, params in self._changes]
        found = []
        for (name, params), scores, margin in zip(self._changes, rows, margins(center, rows), strict=True):
            both = sorted(scores.keys() & center.keys())
            trained = [known.get((_key(params), seed)) for seed in self._seeds]
            failed = sum(one is not None and one.state is TrialState.FAIL for one in trained)
            effect = sum(scores[seed] - center[seed] for seed in both) / len(both) if both else None
            found.append(
                Change(name, self._winner[name], params[name], params, scores, failed, effect, margin)
            )
        every = [(_key(params), seed) for _, params in self._changes for seed in self._seeds]
        every += [(_key(self._winner), seed) for seed in self._seeds]
        left = sum(one not in known or not known[one].state.is_finished() for one in every)
        return Changes(self._winner, center, found, len(self._seeds), left)

    def _known(self) -> dict[tuple[str, int], FrozenTrial]:
        """All trainings by recipe and seed; of one that both ledgers have the confirmation's."""
        return {
            (_key_of(trial), trial.user_attrs["seed"]): trial
            for ledger in (self.ledger, self._confirm)
            for trial in ledger.trials()
            if "candidate" in trial.user_attrs
        }

    def _scores(self, known: dict[tuple[str, int], FrozenTrial], params: Params) -> dict[int, float]:
        found = {seed: known.get((_key(params), seed)) for seed in self._seeds}
        return {
            seed: float(one.value or 0.0)
            for seed, one in found.items()
            if one is not None and one.state is TrialState.COMPLETE
        }


def changed(space: SearchSpace, params: Params) -> Iterator[tuple[str, dict[str, Value]]]:
    """The neighbours of a recipe, and where a number may be 0, the recipe without it: parameter and recipe."""
    leaves = space.leaves()
    off: dict[str, dict[str, Value]] = {}
    for name, value in params.items():
        leaf = leaves[name]
        if not isinstance(leaf, Choice) and leaf.contains(0) and value != 0:
            off[name] = {**params, name: type(leaf.low)(0)}
    moved: dict[str, list[dict[str, Value]]] = {name: [] for name in params}
    for name, neighbour in space.neighbours(params):
        moved[name].append(neighbour)
    for name, neighbours in moved.items():
        yield from ((name, neighbour) for neighbour in neighbours)
        if name in off and off[name] not in neighbours:
            yield name, off[name]


def check_parameters(space: SearchSpace, params: Params, only: Sequence[str]) -> None:
    """Whether a recipe has parameters that can be changed.

    Raises:
        InputError: It has not one of these, or that cannot vary.
    """
    there = list(dict.fromkeys(name for name, _ in changed(space, params)))
    for name in only:
        if name not in there:
            raise InputError(
                f"a parameter to change must be one of the winner's that can vary, but got {name!r}"
                f"{known_names(name, there)}"
            )


def _label(name: str, params: Params) -> str:
    value = params[name]
    return f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"


def _key(params: Params) -> str:
    """What tells a recipe from every other."""
    text = json.dumps(dict(params), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _key_of(training: FrozenTrial) -> str:
    """The same of a training, which has no params before it begins."""
    return str(training.user_attrs.get(RECIPE) or _key(training.params))
