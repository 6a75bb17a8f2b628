"""Confirmation: the best recipes race on new seeds, the winner is measured on others, the test split is opened once."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from statistics import fmean
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.answer.answer import Answer, Confirmed
from search.answer.hits import Hits
from search.answer.race import FEWEST, Race, contenders
from search.ledger import Ledger, finished
from spaces import Params
from trainables.seeds import derive_seed

BASELINE = "baseline"
OPENINGS = "test_openings"
TEST = "test_accuracy"

_Trainings = dict[tuple[str, int], FrozenTrial]
"""Candidate and seed → the training."""

Evaluate = Callable[[FrozenTrial], Hits]
"""A training of the confirmation → which images of the test split its best weights are right on."""


class Confirmation:
    """Enters the trainings that a confirmation needs into its ledger, and reads its answer.

    The finalists are told apart with some seeds, and whom that leaves is measured with others, beside the baseline:
    the luck that made it the best has no part in what it is said to be worth.

    Args:
        search: The search's ledger.
        ledger: The confirmation's own.
        baseline: The recipe to beat.
        finalists: How many of the search's best.
        seeds: With how many new seeds each is trained at most, and with how many others the winner is measured.
        seed: The study's seed; the new ones follow from it and differ from every trial's.
        workers: How many train at once. Where they would idle, the race is not stopped early to save trainings.
    """

    def __init__(
        self,
        search: Ledger,
        ledger: Ledger,
        *,
        baseline: Params,
        finalists: int,
        seeds: int,
        seed: int,
        workers: int = 1,
    ) -> None:
        self.ledger = ledger
        self._search = search
        self._baseline = baseline
        self._finalists = finalists
        self._workers = workers
        self._racing = [derive_seed(seed, "race", index) % 2**31 for index in range(seeds)]
        self._measuring = [derive_seed(seed, "confirm", index) % 2**31 for index in range(seeds)]

    def enter_baseline(self) -> int:
        """Enqueue the baseline's trainings; how many the ledger holds afterwards."""
        self._enter({BASELINE: self._baseline}, self._measuring)
        return len(self.ledger.trials())

    def go_on(self) -> tuple[Race, int]:
        """Once the search is over: enqueue what is to be trained next, if anything.

        Returns:
            How far the race has come, and how many trainings the ledger holds afterwards.
        """
        race = self._race()
        if not race.over:
            self._enter(
                {label: self._chosen[label].params for label in race.contenders}, self._racing[: race.seeds]
            )
        elif race.contenders:
            winner = race.contenders[0]
            self._enter({winner: self._chosen[winner].params}, self._measuring)
        return race, len(self.ledger.trials())

    @property
    def measured(self) -> int:
        """With how many seeds the winner is measured."""
        return len(self._measuring)

    @cached_property
    def _chosen(self) -> dict[str, FrozenTrial]:
        """The best COMPLETE trials by label, each recipe once."""
        chosen: list[FrozenTrial] = []
        for trial in finished(self._search.trials()):
            if all(trial.params != other.params for other in chosen):
                chosen.append(trial)
        return {_label(trial, self._baseline): trial for trial in chosen[: self._finalists]}

    def _race(self) -> Race:
        """What follows from the trainings in the ledger, whoever entered them: the same on every machine."""
        trainings, labels, most = self._by_label(), list(self._chosen), len(self._racing)
        seeds = 0
        while len(labels) > 1:
            entered = [seed for seed in self._racing if all((label, seed) in trainings for label in labels)]
            seeds = max(len(entered), min(most, self._more(labels, FEWEST) if len(entered) < FEWEST else 0))
            rows = {
                label: [trainings[label, seed] for seed in self._racing[:seeds] if (label, seed) in trainings]
                for label in labels
            }
            if any(
                len(row) < seeds or not all(one.state.is_finished() for one in row) for row in rows.values()
            ):
                return Race(labels, seeds, over=False)
            left = contenders({label: _values(row) for label, row in rows.items()})
            if len(left) == len(labels):
                if seeds < most:
                    return Race(left, min(most, seeds + self._more(left, 1)), over=False)
                return Race(left, seeds, over=True)
            labels = left
        return Race(labels, seeds, over=True)

    def _more(self, labels: Sequence[str], fewest: int) -> int:
        """Seeds for each of them, more where workers would have nothing to do."""
        return max(fewest, self._workers // len(labels))

    def _enter(self, recipes: dict[str, Params], seeds: Sequence[int]) -> None:
        """Seed by seed, so that the candidates keep step."""
        present = self._by_label()
        for seed in seeds:
            for label, params in recipes.items():
                if (label, seed) not in present:
                    self.ledger.enqueue(params, candidate=label, seed=seed)

    def answer(self, evaluate: Evaluate | None) -> Answer | None:
        """Say who won, then open the test split for the winner and for the baseline.

        What was measured on the test split is kept in the ledger: a second call reads it and opens
        nothing. If a longer search has brought another winner, or more seeds are asked for, the split is
        opened again, and the answer says how often it was.

        Args:
            evaluate: Measures on the test split; none leaves it closed.

        Returns:
            None while search or confirmation have trainings left, or if no finalist has succeeded.
        """
        if any(trial.state is TrialState.RUNNING for trial in self._search.trials()):
            return None
        race, trainings = self._race(), self._by_label()
        if not race.over or not race.contenders:
            return None
        first = race.contenders[0]
        needed = [trainings.get((label, seed)) for label in (first, BASELINE) for seed in self._measuring]
        if any(one is None or not one.state.is_finished() for one in needed):
            return None
        if evaluate is not None:
            self._open_test([first, BASELINE], trainings, evaluate)
        done = {
            label: [seed for seed in self._measuring if _is_complete(trainings.get((label, seed)))]
            for label in (first, BASELINE)
        }
        # A pair whose one side failed is no pair.
        common = [seed for seed in done[first] if seed in done[BASELINE]]
        winner = self._confirmed(first, trainings, common or done[first])
        if not winner.val:
            return None
        baseline = self._confirmed(BASELINE, trainings, common)
        others = [self._confirmed(label, trainings, []) for label in self._chosen if label != first]
        others = sorted(
            (one for one in others if one.race), key=lambda one: (-len(one.race), -fmean(one.race))
        )
        best = _values(finished(self._search.trials())[:1])[0]
        return Answer(
            winner=winner,
            baseline=baseline if baseline.val else None,
            finalists=[winner, *others],
            optimism=best - fmean(winner.val),
            openings=self.ledger.noted(OPENINGS, []),
        )

    def _by_label(self) -> _Trainings:
        """All trainings, by candidate and seed."""
        return {
            (trial.user_attrs["candidate"], trial.user_attrs["seed"]): trial
            for trial in self.ledger.trials()
            if "candidate" in trial.user_attrs
        }

    def _confirmed(self, label: str, trainings: _Trainings, seeds: Sequence[int]) -> Confirmed:
        """A candidate with its trainings of the race, and of those that measure it the ones with `seeds`."""
        raced = [trainings.get((label, seed)) for seed in self._racing]
        trained = [trainings[label, seed] for seed in seeds]
        measured = self._measured()
        hits = [Hits.from_noted(measured[str(t.number)]) for t in trained if str(t.number) in measured]
        trial = self._chosen.get(label)
        return Confirmed(
            label=label,
            number=trial.number if trial is not None else 0,
            params=trial.params if trial is not None else self._baseline,
            race=_values([one for one in raced if one is not None]),
            val=_values(trained),
            test=[one.accuracy for one in hits],
            hits=hits,
        )

    def _measured(self) -> dict[str, Any]:
        """Training's number → what was measured; what earlier versions knew, the accuracy alone, counts as nothing."""
        noted: dict[str, Any] = self.ledger.noted(TEST, {})
        return {number: one for number, one in noted.items() if isinstance(one, dict)}

    def _open_test(self, labels: Sequence[str], trainings: _Trainings, evaluate: Evaluate) -> None:
        measured = self._measured()
        there = [trainings.get((label, seed)) for label in labels for seed in self._measuring]
        unseen = [
            one for one in there if one is not None and _is_complete(one) and str(one.number) not in measured
        ]
        if not unseen:
            return
        # First: an opening that is not written down never happened.
        self.ledger.note(OPENINGS, [*self.ledger.noted(OPENINGS, []), f"{_now()} by {_who()}"])
        for training in unseen:
            measured[str(training.number)] = evaluate(training).noted()
            self.ledger.note(TEST, measured)


def confirms(training: FrozenTrial, candidate: Confirmed) -> bool:
    """Whether a training of the confirmation is one of `candidate`'s."""
    return bool(training.user_attrs.get("candidate") == candidate.label)


def _label(trial: FrozenTrial, baseline: Params) -> str:
    return BASELINE if dict(trial.params) == dict(baseline) else f"trial {trial.number}"


def _is_complete(training: FrozenTrial | None) -> bool:
    return training is not None and training.state is TrialState.COMPLETE


def _values(trainings: Sequence[FrozenTrial]) -> list[float]:
    """The scores of the COMPLETE ones."""
    return [float(one.value or 0.0) for one in trainings if _is_complete(one)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = "somebody"
    return f"{user} on {socket.gethostname()}"
