"""Confirmation: the best recipes race on new seeds, the winner is measured on others, the test split is opened once."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from statistics import fmean

from optuna.trial import FrozenTrial, TrialState

from search.answer.answer import Answer, Confirmed
from search.answer.hits import Hits
from search.answer.measured import Measured, packed, unpacked
from search.answer.race import FEWEST, MOST, Race, contenders, rounds, step
from search.decisions.kept import Kept
from search.ledger import Ledger, finished
from spaces import Params
from trainables.seeds import derive_seed
from trainables.soundness.soundness import Soundness, pooled

BASELINE = "baseline"
OPENINGS = "test_openings"
TEST, SOUNDNESS = "test_accuracy", "test_soundness"

_Trainings = dict[tuple[str, int], FrozenTrial]
"""Candidate and seed → the training."""

Evaluate = Callable[[FrozenTrial], Measured]
"""A training of the confirmation → what its best weights are worth on the test split."""


class Confirmation:
    """Enters the trainings that a confirmation needs into its ledger, and reads its answer.

    The finalists are told apart with some seeds, and whom that leaves is measured with others, beside the baseline:
    the luck that made it the best has no part in what it is said to be worth.

    Args:
        search: The search's ledger.
        ledger: The confirmation's own.
        baseline: The recipe to beat.
        finalists: How many of the search's best.
        seeds: With how many new seeds the winner is measured; the race has others, `MOST` at most.
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
        self._racing = [derive_seed(seed, "race", index) % 2**31 for index in range(min(seeds, MOST))]
        self._measuring = measuring_seeds(seed, seeds)

    def kept(self, whole: int) -> Kept:
        """What it may still take at most, whoever the finalists will be: of what is trained the baseline's counts.

        Args:
            whole: Epochs of a training.
        """
        trainings = self._by_label()
        done = {
            one: whole if training.state.is_finished() else len(training.intermediate_values)
            for one, training in trainings.items()
        }
        return Kept(
            finalists=self._finalists,
            rounds=rounds(self._finalists, len(self._racing), self._workers),
            seeds=len(self._measuring),
            baseline=[1 - done.get((BASELINE, seed), 0) / whole for seed in self._measuring],
            trained=sum(len(training.intermediate_values) for training in trainings.values()),
        )

    def enter_baseline(self) -> int:
        """Enqueue the baseline's trainings; how many the ledger holds afterwards."""
        self._enter([BASELINE], self._measuring)
        return len(self.ledger.trials())

    def go_on(self) -> tuple[Race, int, int]:
        """Once the search is over: enqueue what is to be trained next, if anything.

        Returns:
            How far the race has come, how many trainings the ledger holds afterwards, and how many it will hold as far
            as is decided.
        """
        race = self._race()
        if not race.over:
            self._enter(race.contenders, self._racing[: race.seeds])
        elif race.contenders:
            self._enter(race.contenders[:1], self._measuring)
        trainings = self._by_label()
        leader = race.contenders[0] if race.contenders else BASELINE
        missing = sum((leader, seed) not in trainings for seed in self._measuring)
        return race, len(trainings), len(trainings) + missing

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
        while len(labels) > 1 and seeds < most:
            entered = sum(all((label, seed) in trainings for label in labels) for seed in self._racing)
            if entered > seeds:
                seeds = max(entered, min(most, FEWEST))
            else:
                seeds = min(most, seeds + step(len(labels), self._workers, 1 if seeds else FEWEST))
            rows = {
                label: [trainings.get((label, seed)) for seed in self._racing[:seeds]] for label in labels
            }
            if not all(one is not None and one.state.is_finished() for row in rows.values() for one in row):
                return Race(labels, seeds, over=False)
            labels = contenders({label: [_value(one) for one in row] for label, row in rows.items()})
        return Race(labels, seeds, over=True)

    def _enter(self, labels: Sequence[str], seeds: Sequence[int]) -> None:
        """Seed by seed, so that the candidates keep step."""
        present = self._by_label()
        for seed in seeds:
            for label in labels:
                if (label, seed) not in present:
                    self.ledger.enqueue(self._params(label), candidate=label, seed=seed)

    def _params(self, label: str) -> Params:
        return self._baseline if label == BASELINE else self._chosen[label].params

    def answer(self, evaluate: Evaluate | None) -> Answer | None:
        """Say who won, then open the test split for the winner and for the baseline.

        What was measured on the test split is kept in the ledger: a second call reads it and opens
        nothing. If a longer search has brought another winner, or more seeds are asked for, the split is
        opened again, and the answer says how often it was.

        Args:
            evaluate: Measures on the test split; none leaves it closed.

        Returns:
            None while the search or the race among its finalists is not over, or before the winner is measured with any
            seed. Of a measurement that is not over, what those seeds say that the winner and the baseline both have.
        """
        if any(trial.state is TrialState.RUNNING for trial in self._search.trials()):
            return None
        race, trainings = self._race(), self._by_label()
        if not race.over or not race.contenders:
            return None
        first = race.contenders[0]
        done = {
            label: [seed for seed in self._measuring if _is_complete(trainings.get((label, seed)))]
            for label in (first, BASELINE)
        }
        if not done[first]:
            return None
        if evaluate is not None:
            both = dict.fromkeys((label, seed) for label in done for seed in done[label])
            self._open_test([trainings[one] for one in both], evaluate)
        # A pair whose one side failed, or is not trained yet, is no pair.
        common = [seed for seed in done[first] if seed in done[BASELINE]]
        sides = (first, BASELINE) if common else (first,)
        tested = self._tested([trainings[label, seed] for label in sides for seed in done[label]])
        seeds = common or done[first]
        # Only like is compared with like: test accuracies where there are any, else validation scores.
        whole = [seed for seed in seeds if all(trainings[label, seed].number in tested for label in sides)]
        winner = self._confirmed(first, trainings, whole or seeds, tested if whole else {})
        baseline = self._confirmed(
            BASELINE, trainings, (whole or seeds) if common else [], tested if whole else {}
        )
        others = [self._confirmed(label, trainings, [], {}) for label in self._chosen if label != first]
        others = sorted(
            (one for one in others if one.race), key=lambda one: (-len(one.race), -fmean(one.race))
        )
        best = next(iter(self._chosen.values())).value or 0.0
        left = [(label, seed) for label in {first, BASELINE} for seed in self._measuring]
        return Answer(
            winner=winner,
            baseline=baseline if baseline.val else None,
            finalists=[winner, *others],
            optimism=best - fmean(winner.val),
            openings=self.ledger.noted(OPENINGS, []),
            left=sum(one not in trainings or not trainings[one].state.is_finished() for one in left),
        )

    def _by_label(self) -> _Trainings:
        """All trainings, by candidate and seed."""
        return {
            (trial.user_attrs["candidate"], trial.user_attrs["seed"]): trial
            for trial in self.ledger.trials()
            if "candidate" in trial.user_attrs
        }

    def _confirmed(
        self, label: str, trainings: _Trainings, seeds: Sequence[int], tested: Mapping[int, Hits | float]
    ) -> Confirmed:
        """A candidate with its trainings of the race, and of those that measure it the ones with `seeds`."""
        raced = [trainings.get((label, seed)) for seed in self._racing]
        trained = [trainings[label, seed] for seed in seeds]
        found = [tested[one.number] for one in trained if one.number in tested]
        hits = [one for one in found if isinstance(one, Hits)]
        sound = [self._soundness(one) for one in trained if one.number in tested]
        trial = self._chosen.get(label)
        return Confirmed(
            label=label,
            number=trial.number if trial is not None else 0,
            params=trial.params if trial is not None else self._baseline,
            race=[score for one in raced if (score := _value(one)) is not None],
            val=[score for one in trained if (score := _value(one)) is not None],
            test=[one.accuracy if isinstance(one, Hits) else one for one in found],
            hits=hits if len(hits) == len(found) else [],
            soundness=pooled(known) if (known := [one for one in sound if one is not None]) else None,
        )

    def _tested(self, trainings: Sequence[FrozenTrial]) -> dict[int, Hits | float]:
        """Training's number → what it is right on, where that was measured.

        Of what earlier versions measured there is the accuracy alone.
        """
        found: dict[int, Hits | float] = {
            int(number): accuracy for number, accuracy in self.ledger.noted(TEST, {}).items()
        }
        for training in trainings:
            hits = self.ledger.noted(f"{TEST}:{training.number}", None)
            if hits is not None:
                found[training.number] = Hits.from_noted(hits)
        return found

    def _soundness(self, training: FrozenTrial) -> Soundness | None:
        """As it was seen when the test split was opened; earlier versions did not look."""
        noted = self.ledger.noted(f"{SOUNDNESS}:{training.number}", None)
        return None if noted is None else unpacked(noted)

    def _open_test(self, trainings: Sequence[FrozenTrial], evaluate: Evaluate) -> None:
        tested = self._tested(trainings)
        unseen = [one for one in trainings if one.number not in tested]
        if not unseen:
            return
        # First: an opening that is not written down never happened.
        self.ledger.note(OPENINGS, [*self.ledger.noted(OPENINGS, []), f"{_now()} by {_who()}"])
        for training in unseen:  # each in a row of its own: some databases take no more than 64 KiB in one
            seen = evaluate(training)
            if seen.soundness is not None:
                self.ledger.note(f"{SOUNDNESS}:{training.number}", packed(seen.soundness))
            self.ledger.note(f"{TEST}:{training.number}", seen.hits.noted())  # last: now it is seen


def measuring_seeds(seed: int, count: int) -> list[int]:
    """The first so many of the seeds with which a study's winner is measured.

    Args:
        seed: The study's.
        count: How many.
    """
    return [derive_seed(seed, "confirm", index) % 2**31 for index in range(count)]


def confirms(training: FrozenTrial, candidate: Confirmed) -> bool:
    """Whether a training of the confirmation is one of `candidate`'s."""
    return bool(training.user_attrs.get("candidate") == candidate.label)


def _label(trial: FrozenTrial, baseline: Params) -> str:
    return BASELINE if dict(trial.params) == dict(baseline) else f"trial {trial.number}"


def _is_complete(training: FrozenTrial | None) -> bool:
    return training is not None and training.state is TrialState.COMPLETE


def _value(training: FrozenTrial | None) -> float | None:
    """The score of a COMPLETE one."""
    return float(training.value or 0.0) if training is not None and _is_complete(training) else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = "somebody"
    return f"{user} on {socket.gethostname()}"
