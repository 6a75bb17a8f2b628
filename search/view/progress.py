"""Where a study stands, worked out from what a view is told. No clock, no screen: `now` comes in."""

from __future__ import annotations

import functools
import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec

from optuna.trial import FrozenTrial

from search.answer.race import Race, most_trainings
from search.decisions.budget import of_search
from search.elapsed import elapsed
from search.score import FOLD_EPOCHS, trial_score
from search.spec import StudySpec
from search.view.words import count
from spaces import Params
from trainables.protocol import EpochRecord

SEARCH, CONFIRM, PERTURB = "search", "confirm", "perturb"  # as `search.checkpoints` calls them
COMPARE = "compare"
"""The trainings of both recipes of a comparison, as one phase."""
ENDED = ("COMPLETE", "PRUNED", "FAIL")
WINDOW = 60
"""Epochs over which the rate is measured."""
ENOUGH_EPOCHS, ENOUGH_TRIALS = 5, 2
"""Before so much was seen there is no estimate of the time left."""

P = ParamSpec("P")


def never_raises(method: Callable[P, object]) -> Callable[P, None]:
    """A view's method whose own errors go to the log: what is shown must not end a study."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except (Exception, SystemExit):  # rich makes a SystemExit of a broken pipe
            logging.getLogger(__name__).debug("view: %s failed", method.__name__, exc_info=True)

    return guarded


@dataclass
class Entry:
    """A trial as far as it is known here.

    Args:
        number: In its ledger.
        state: The ledger's word.
        params: Its recipe.
        epochs: Epochs recorded.
        last: Score of the newest epoch.
        best: Its score so far, of the finite scores of its epochs.
        live: A worker has it now.
        label: Of a confirmation: whose recipe it trains again; of a perturbation: what is changed; of a comparison:
            which recipe.
        seed: Its seed, where it has one already.
        reason: Why it was stopped or failed, or ended itself before its full budget.
        scores: Epoch → score.
    """

    number: int
    state: str = "RUNNING"
    params: Params = field(default_factory=dict)
    epochs: int = 0
    last: float | None = None
    best: float | None = None
    live: bool = False
    label: str = ""
    reason: str = ""
    scores: dict[int, float] = field(default_factory=dict)
    seed: int | None = None

    @classmethod
    def of(cls, trial: FrozenTrial, *, live: bool) -> Entry:
        """What the ledger says."""
        scores = [score for _, score in sorted(trial.intermediate_values.items())]
        return cls(
            number=trial.number,
            state=trial.state.name,
            params=dict(trial.params),
            epochs=len(scores),
            last=scores[-1] if scores else None,
            best=_shown(trial.intermediate_values, trial.user_attrs.get(FOLD_EPOCHS)),
            live=live,
            scores=dict(trial.intermediate_values),
            label=str(trial.user_attrs.get("candidate", "")),
            seed=trial.user_attrs.get("seed"),
            reason=str(trial.user_attrs.get("reason", "")),
        )


def _shown(scores: Mapping[int, float], fold_epochs: int | None) -> float | None:
    """A trial's score from what is finite of it; none where nothing is."""
    finite = {epoch: score for epoch, score in scores.items() if math.isfinite(score)}
    return trial_score(finite, fold_epochs) if finite else None


class Progress:
    """Counts, the best so far, the rate and the time left.

    Its methods take what a `search.view.view.View` is told, and `now`: seconds of any clock that only
    goes forward.
    """

    def __init__(self) -> None:
        self.spec: StudySpec | None = None
        self.workers = 0
        self.busy = ""
        self.share: tuple[int, int] | None = None
        self.phase = SEARCH
        self.started: float | None = None
        self._trials_from = 0.0
        self._trainings: dict[str, int] = {}
        self._entries: dict[str, dict[int, Entry]] = {SEARCH: {}, CONFIRM: {}, PERTURB: {}, COMPARE: {}}
        self.compared: Mapping[str, StudySpec] = {}
        self._times: deque[float] = deque(maxlen=WINDOW + 1)

    # -- what happens -------------------------------------------------------------------------------

    def on_phase(self, text: str, now: float) -> None:
        """What the driver is busy with; empty when trials run."""
        self._begin(now)
        self.busy, self.share = text, None

    def on_progress(self, done: int, total: int, now: float) -> None:
        """How far the phase has come."""
        self._begin(now)
        self.share = (done, total) if 0 <= done < total else None

    def on_study(self, spec: StudySpec, trials: Sequence[FrozenTrial], workers: int, now: float) -> None:
        """The study begins, or goes on with what the ledger has."""
        self._begin(now)
        self.spec, self.workers = spec, workers
        self._trials_from = now - max(elapsed(trials).values(), default=0.0)
        self._entries[SEARCH] = {trial.number: Entry.of(trial, live=False) for trial in trials}

    def on_start(self, phase: str, trial: FrozenTrial, resumed_at: int, now: float) -> None:
        """A trial begins, or goes on after `resumed_at` epochs."""
        self._begin(now)
        self._entries[phase][trial.number] = Entry.of(trial, live=True)

    def on_record(self, phase: str, number: int, record: EpochRecord, now: float) -> None:
        """An epoch is done."""
        entry = self._entries[phase].setdefault(number, Entry(number, live=True))
        entry.epochs = max(entry.epochs, record.epoch)
        entry.last = record.score
        entry.scores[record.epoch] = record.score
        spec = self.spec
        entry.best = _shown(entry.scores, spec.epochs if spec is not None and spec.trainings > 1 else None)
        self._times.append(now)

    def on_pause(self, phase: str, number: int, now: float) -> Entry:
        """A trial gives its worker back. Returns what is known of it."""
        entry = self._entries[phase].setdefault(number, Entry(number))
        entry.live = False
        return entry

    def on_end(self, phase: str, trial: FrozenTrial, now: float) -> Entry:
        """A trial has its final state. Returns what is known of it."""
        entry = self._entries[phase][trial.number] = Entry.of(trial, live=False)
        return entry

    def on_race(self, race: Race, trainings: int, now: float) -> None:
        """The search is over; its confirmation is `trainings` trainings in all, as far as is decided."""
        self.phase, self._trainings[CONFIRM] = CONFIRM, trainings

    def on_changes(self, changes: int, trainings: int, now: float) -> None:
        """The winner is trained again with so many changes, in `trainings` trainings."""
        self.phase, self._trainings[PERTURB] = PERTURB, trainings

    def on_comparison(
        self, specs: Mapping[str, StudySpec], trainings: Sequence[FrozenTrial], workers: int, now: float
    ) -> None:
        """Two recipes are compared, in `trainings` trainings, some of which may be over."""
        self._begin(now)
        self.spec, self.workers, self.compared = next(iter(specs.values())), workers, specs
        self.phase, self._trainings[COMPARE] = COMPARE, len(trainings)
        begun = (trial for trial in trainings if trial.state.name != "WAITING")
        self._entries[COMPARE] = {trial.number: Entry.of(trial, live=False) for trial in begun}

    def _begin(self, now: float) -> None:
        if self.started is None:
            self.started = now

    # -- where it stands ----------------------------------------------------------------------------

    def counts(self, phase: str = SEARCH) -> Mapping[str, int]:
        """How many trials are in each state; RUNNING ones that wait to be resumed are among them."""
        return Counter(entry.state for entry in self._entries[phase].values())

    def running(self, phase: str | None = None) -> list[Entry]:
        """Trials that a worker has now, by number; of all phases if none is named.

        One more than there are workers is always drawn, so that no worker waits for it: it is not shown
        before its turn.
        """
        live = [
            (name, entry) for name in self._entries for entry in self._entries[name].values() if entry.live
        ]
        live.sort(key=lambda named: (named[1].last is None, named[0] != SEARCH, named[1].number))
        shown = [entry for name, entry in live[: self.workers or None] if phase in {None, name}]
        return sorted(shown, key=lambda entry: (entry.label != "", entry.number))

    def paused(self, phase: str = SEARCH) -> int:
        """Trials that have begun, have no final state, and no worker: they wait to go on."""
        return sum(
            entry.state not in ENDED and not entry.live and entry.epochs > 0
            for entry in self._entries[phase].values()
        )

    def done(self, phase: str = SEARCH) -> int:
        """Trials with a final state."""
        ended = sum(entry.state in ENDED for entry in self._entries[phase].values())
        return ended + (self._earlier(phase) if phase in {CONFIRM, PERTURB} else 0)

    def total(self, phase: str = SEARCH) -> int | None:
        """How many there will be, as far as is known; none for a search that no number of trials ends."""
        if self.spec is None:
            return 0
        if phase == SEARCH:
            most = self.spec.most_trials
            return None if most is None else max(most, len(self._entries[SEARCH]))
        if phase in self._trainings or phase in {PERTURB, COMPARE}:
            return self._trainings.get(phase, 0)
        return most_trainings(self.spec.finalists, self.spec.finalist_seeds)  # and most come near that

    def standing(self, phase: str, now: float) -> tuple[str, float]:
        """How far the phase has come: in words, and as the share of the limit that is nearest."""
        done, total, spec = self.done(phase), self.total(phase), self.spec
        noun = "trial" if phase == SEARCH else "training"
        shares = [done / total if total else 0.0]
        words = count(done, noun) if total is None else f"{done}/{count(total, noun)}"
        if phase == SEARCH and spec is not None:
            kept = (self.total(CONFIRM) or 0) * self.budget
            if spec.budget_epochs is not None:
                epochs = int(of_search(spec.budget_epochs, kept))
                shares.append(self.epochs() / epochs)
                words += f", {self.epochs()}/{count(epochs, 'epoch')}"
            if spec.time is not None:
                rate = self.rate(now)
                seconds = of_search(spec.time, kept / rate if rate else 0.0)
                shares.append((now - self._trials_from) / seconds)
        return words, min(max(shares), 1.0)

    def best(self) -> Entry | None:
        """The best COMPLETE trial of the search, else the one with the highest record that did not fail."""
        scored = [entry for entry in self._entries[SEARCH].values() if entry.best is not None]
        complete = [entry for entry in scored if entry.state == "COMPLETE"]
        others = [entry for entry in scored if entry.state != "FAIL"]
        return max(complete or others, key=lambda entry: (entry.best or 0.0, -entry.number), default=None)

    def epochs(self, phase: str = SEARCH) -> int:
        """Epochs trained, those of an earlier driver among them where the ledger told."""
        return sum(entry.epochs for entry in self._entries[phase].values())

    def saved(self) -> int:
        """Epochs that pruning spared: for each PRUNED trial what was left of its full budget."""
        budget = self.budget
        pruned = (entry for entry in self._entries[SEARCH].values() if entry.state == "PRUNED")
        return sum(max(budget - entry.epochs, 0) for entry in pruned)

    @property
    def budget(self) -> int:
        """Full budget of a trial, epochs."""
        return self.spec.budget if self.spec is not None else 0

    def budget_of(self, entry: Entry) -> int:
        """The same of one trial: two recipes that are compared may have epochs of their own."""
        its = self.compared.get(entry.label)
        return self.budget if its is None else its.budget

    def means(self) -> list[tuple[str, float | None, int]]:
        """Of each recipe that is compared: what it is called, its mean score, and over how many seeds."""
        found = []
        for label in self.compared:
            done = [one for one in self._entries[COMPARE].values() if one.label == label]
            scores = [one.best for one in done if one.state == "COMPLETE" and one.best is not None]
            found.append((label, sum(scores) / len(scores) if scores else None, len(scores)))
        return found

    def rate(self, now: float) -> float | None:
        """Epochs a second of all workers together, over the newest epochs of this driver."""
        if len(self._times) < ENOUGH_EPOCHS:
            return None
        seconds = max(now, self._times[-1]) - self._times[0]
        return (len(self._times) - 1) / seconds if seconds > 0 else None

    def seconds_left(self, now: float) -> float | None:
        """An estimate; none until there is enough to tell.

        Epochs to come over the measured rate. Of the search: trials not begun at the mean epochs of
        those that ended, and the rest of those begun. Of what follows it: full budgets. Early on it is
        too low, as pruned trials are the first to end; limits of the study bound it.
        """
        rate = self.rate(now)
        if self.phase == COMPARE:
            return None if rate is None else self._rest_of_comparison() / rate
        ended = [entry.epochs for entry in self._entries[SEARCH].values() if entry.state in ENDED]
        if (
            rate is None
            or self.spec is None
            or len(ended) < min(ENOUGH_TRIALS, self.spec.most_trials or ENOUGH_TRIALS)
        ):
            return None
        mean = sum(ended) / len(ended)
        begun = sum(self._rest(e, mean) for e in self._entries[SEARCH].values() if e.state == "RUNNING")
        phase = CONFIRM if self.phase == SEARCH else self.phase
        ahead = max((self.total(phase) or 0) - self.done(phase), 0) * self.budget
        trainings = max(ahead - sum(entry.epochs for entry in self.running(phase)), 0)
        coming = self._coming(mean, begun, trainings, rate, now) if self.phase == SEARCH else 0.0
        return (begun + coming + trainings) / rate

    def _rest_of_comparison(self) -> float:
        """Epochs of all its trainings that are not trained yet."""
        entries = self._entries[COMPARE].values()
        rest = sum(self.budget_of(one) - one.epochs for one in entries if one.state not in ENDED)
        whole = sum(spec.budget for spec in self.compared.values()) / len(self.compared)
        return rest + (self._trainings[COMPARE] - len(entries)) * whole

    def _coming(self, mean: float, begun: float, kept: float, rate: float, now: float) -> float:
        """Epochs of trials that have not begun, by the limit that comes first; 0 where only GPU-hours limit.

        Args:
            mean: Epochs of a trial.
            begun: Epochs that trials have before them that have begun.
            kept: Those of what follows the search.
            rate: Epochs a second.
            now: The time.
        """
        spec, limits = self.spec, []
        assert spec is not None
        if spec.most_trials is not None:
            limits.append(mean * (spec.most_trials - len(self._entries[SEARCH])))
        if spec.budget_epochs is not None:
            whole = (self.total(CONFIRM) or 0) * self.budget
            limits.append(of_search(spec.budget_epochs, whole) - self.epochs() - begun)
        if spec.time is not None:
            gone = now - self._trials_from
            limits.append(rate * (of_search(spec.time, kept / rate) - gone) - begun)
        return max(min(limits, default=0.0), 0.0)

    def _rest(self, entry: Entry, mean: float) -> float:
        """Epochs that a living trial has before it: up to the mean; past it, half of what could come."""
        return mean - entry.epochs if entry.epochs < mean else (self.budget - entry.epochs) / 2

    def _earlier(self, phase: str) -> int:
        """Trainings that an earlier driver finished: trials begin in order, so these were passed over."""
        numbers = self._entries[phase]
        return max(numbers) + 1 - len(numbers) if numbers else 0
