"""Confirmation: the best recipes on new seeds, selection on validation, one look at the test split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.ledger import Ledger
from search.result import Answer, Confirmed, finished
from spaces import Params
from trainables.seeds import derive_seed

BASELINE = "baseline"
OPENINGS = "test_openings"
TEST = "test_accuracy"

Evaluate = Callable[[FrozenTrial], float]
"""A training of the confirmation → the accuracy of its best weights on the test split."""


class Confirmation:
    """Enters the trainings that a confirmation needs into its ledger, and reads its answer.

    Args:
        search: The search's ledger.
        ledger: The confirmation's own.
        baseline: The recipe to beat.
        finalists: How many of the search's best.
        seeds: With how many new seeds each.
        seed: The study's seed; the new ones follow from it and differ from every trial's.
    """

    def __init__(
        self, search: Ledger, ledger: Ledger, *, baseline: Params, finalists: int, seeds: int, seed: int
    ) -> None:
        self.ledger = ledger
        self._search = search
        self._baseline = baseline
        self._finalists = finalists
        self._seeds = [derive_seed(seed, "confirm", index) % 2**31 for index in range(seeds)]

    def enter_baseline(self) -> int:
        """Enqueue the baseline's trainings; how many the ledger holds afterwards."""
        return self._enter(BASELINE, self._baseline)

    def enter_finalists(self) -> int:
        """Enqueue the finalists' trainings, once the search is over; how many the ledger holds afterwards."""
        for trial in self._chosen():
            self._enter(_label(trial, self._baseline), trial.params)
        return len(self.ledger.trials())

    def _chosen(self) -> list[FrozenTrial]:
        """The best COMPLETE trials, each recipe once."""
        chosen: list[FrozenTrial] = []
        for trial in finished(self._search.trials()):
            if all(trial.params != other.params for other in chosen):
                chosen.append(trial)
        return chosen[: self._finalists]

    def _enter(self, label: str, params: Params) -> int:
        present = {(t.user_attrs.get("candidate"), t.user_attrs.get("seed")) for t in self.ledger.trials()}
        for seed in self._seeds:
            if (label, seed) not in present:
                self.ledger.enqueue(params, candidate=label, seed=seed)
        return len(self.ledger.trials())

    def answer(self, evaluate: Evaluate | None) -> Answer | None:
        """Choose the winner on validation, then open the test split for it and for the baseline.

        What was measured on the test split is kept in the ledger: a second call reads it and opens
        nothing. If a longer search has brought another winner, or more seeds are asked for, the split is
        opened again, and the answer says how often it was. A finalist of whose trainings some failed ranks
        below those with none.

        Args:
            evaluate: Measures on the test split; none leaves it closed.

        Returns:
            None while search or confirmation have trainings left, or if no finalist has succeeded.
        """
        if not self._is_over():
            return None
        finalists = [
            self._confirmed(_label(trial, self._baseline), trial, self._seeds) for trial in self._chosen()
        ]
        complete = sorted(
            (one for one in finalists if one.val), key=lambda one: (-len(one.val), -fmean(one.val))
        )
        if not complete:
            return None
        winner = complete[0]
        if evaluate is not None:
            self._open_test([winner.label, BASELINE], evaluate)
        common = [
            seed
            for seed in self._seeds
            if all(seed in self._trainings(label) for label in (winner.label, BASELINE))
        ]  # a pair whose one side failed is no pair
        winner = self._confirmed(winner.label, self._search.trial(winner.number), common or self._seeds)
        baseline = self._confirmed(BASELINE, None, common)
        best = float(finished(self._search.trials())[0].value or 0.0)
        return Answer(
            winner=winner,
            baseline=baseline if baseline.val else None,
            finalists=[winner, *complete[1:]],
            optimism=best - fmean(winner.val),
            openings=self.ledger.noted(OPENINGS, []),
        )

    def _is_over(self) -> bool:
        """The search has no trial left, and each candidate's training with each seed has a final state."""
        if any(trial.state is TrialState.RUNNING for trial in self._search.trials()):
            return False
        ended = {
            (trial.user_attrs.get("candidate"), trial.user_attrs.get("seed"))
            for trial in self.ledger.trials()
            if trial.state.is_finished()
        }
        labels = {BASELINE, *(_label(trial, self._baseline) for trial in self._chosen())}
        return all((label, seed) in ended for label in labels for seed in self._seeds)

    def _trainings(self, label: str) -> dict[int, FrozenTrial]:
        """Seed → the COMPLETE training of `label` with it."""
        return {
            trial.user_attrs["seed"]: trial
            for trial in self.ledger.trials()
            if trial.state is TrialState.COMPLETE
            and trial.user_attrs.get("candidate") == label
            and trial.user_attrs.get("seed") in self._seeds
        }

    def _confirmed(self, label: str, trial: FrozenTrial | None, seeds: Sequence[int]) -> Confirmed:
        done = self._trainings(label)
        trainings = [done[seed] for seed in seeds if seed in done]
        measured: dict[str, Any] = self.ledger.noted(TEST, {})
        return Confirmed(
            label=label,
            number=trial.number if trial is not None else 0,
            params=trial.params if trial is not None else self._baseline,
            val=[float(training.value or 0.0) for training in trainings],
            test=[measured[str(t.number)] for t in trainings if str(t.number) in measured],
        )

    def _open_test(self, labels: Sequence[str], evaluate: Evaluate) -> None:
        measured: dict[str, float] = dict(self.ledger.noted(TEST, {}))
        unseen = [
            t for label in labels for t in self._trainings(label).values() if str(t.number) not in measured
        ]
        if not unseen:
            return
        openings = [*self.ledger.noted(OPENINGS, []), datetime.now(UTC).isoformat(timespec="seconds")]
        self.ledger.note(OPENINGS, openings)  # first: an opening that is not written down never happened
        for training in unseen:
            measured[str(training.number)] = evaluate(training)
            self.ledger.note(TEST, measured)


def confirms(training: FrozenTrial, candidate: Confirmed) -> bool:
    """Whether a training of the confirmation is one of `candidate`'s."""
    return bool(training.user_attrs.get("candidate") == candidate.label)


def _label(trial: FrozenTrial, baseline: Params) -> str:
    return BASELINE if dict(trial.params) == dict(baseline) else f"trial {trial.number}"
