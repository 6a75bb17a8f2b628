"""What a study keeps of its budget for its confirmation: how much that is, and what of it the search may spend."""

from __future__ import annotations

import heapq
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from search.answer.confirmation import Confirmation
from search.answer.race import most_trainings
from search.decisions.budget import Budget, Left, Stage, of_search
from search.decisions.history import History, Status
from search.decisions.kept import NOTHING, Kept
from search.decisions.listener import Listener
from search.decisions.phase import Phase
from search.decisions.policy import Policy
from search.decisions.program import Program
from search.decisions.scheduler import Decision, NoScheduler
from search.policies import make_parts
from tests.search.phases import EPOCHS, SPACE, ledger_on, policy, storage
from trainables.protocol import EpochRecord

DEFAULTS = Kept(finalists=3, rounds=(2, 1), seeds=3, baseline=(1.0, 1.0, 1.0))
"""Of a study that says nothing of them, on few workers."""


def test_by_default_it_is_fifteen_trainings():
    assert DEFAULTS.trainings == most_trainings(3, 3) == 15
    assert DEFAULTS.epochs(27) == 15 * 27
    assert NOTHING.epochs(27) == NOTHING.trainings == NOTHING.seconds([], 1.0, 4) == 0


@pytest.mark.parametrize(
    ("workers", "seconds"),
    [
        (1, 3 * 2 + 3 * (5 + 4 + 3) + 3 * 5),
        (2, 16 + 7 + 10),  # 2 2 4 5 3 beside 2 5 3 4; 5 beside 4 3; three of five
        (16, 5 + 5 + 5),
    ],
)
def test_how_long_it_takes_follows_from_who_waits_for_whom(workers, seconds):
    assert DEFAULTS.seconds([5.0, 4.0, 3.0], 2.0, workers) == seconds


@given(
    st.lists(st.floats(0.1, 10), min_size=1, max_size=5),
    st.floats(0.1, 10),
    st.integers(1, 20),
    st.lists(st.floats(0, 1), max_size=4),
)
def test_it_is_never_shorter_than_its_work_allows_and_never_longer_than_one_worker_takes(
    finalists, baseline, workers, left
):
    kept = Kept(len(finalists), (2, 1), 3, left)
    work = 3 * sum(finalists) + 3 * max(finalists) + sum(left) * baseline
    found = kept.seconds(finalists, baseline, workers)
    assert work / workers * (1 - 1e-9) <= found <= work * (1 + 1e-9)
    assert kept.seconds(finalists, baseline, 1) == pytest.approx(work)


# --- what the confirmation asks for, against what it does ----------------------------------------------


def searched(store, recipes: int) -> None:
    """A search that is over: the baseline, and recipes that each are better than the next."""
    ledger = ledger_on(store)
    for x in (SPACE.baseline()["x"], *(0.9 - 0.01 * number for number in range(recipes))):
        ledger.enqueue({"x": x})
        number = ledger.ask(lambda number: number).number
        for epoch in range(1, EPOCHS + 1):
            ledger.record(number, EpochRecord(epoch, x, {}))
        ledger.finish(number, TrialState.COMPLETE, "")


class Simulated:
    """A study on simulated time; nobody is told from anybody by its race, and the better a recipe the dearer it is.

    Args:
        store: With what there is of it.
        workers: Trainings at a time.
        clock: Seconds that it has taken so far.
        finalists: How many race.
        seeds: With how many the winner is measured.
        salt: Of the search's recipes.
        **limits: Of the study; without any the search is over.
    """

    def __init__(
        self, store, workers: int, clock: float = 0.0, finalists=3, seeds=3, salt=0, **limits: float
    ) -> None:
        ledgers = ledger_on(store), ledger_on(store, "study@confirm")
        self.ledgers = dict(zip(("search", "confirm"), ledgers, strict=True))
        self.confirmation = Confirmation(
            *ledgers, baseline=SPACE.baseline(), finalists=finalists, seeds=seeds, seed=0, workers=workers
        )
        self._workers, self.clock = workers, clock
        kept = self.confirmation.kept(EPOCHS)
        history = History(SPACE, EPOCHS, timed="seconds" in limits)
        parts = make_parts("random", "promotion", EPOCHS, seed=salt)
        budget = Budget(workers=workers, kept=kept, **limits) if limits else Budget(trials=0)
        confirming = policy(NoScheduler(), trials=self.confirmation.enter_baseline())
        self.search, self.confirm = (
            Phase(
                name, self.ledgers[name], decides, max_epochs=EPOCHS, seed_of=lambda number: number,
                listener=Listener(), clock=lambda: self.clock,
            )
            for name, decides in (("search", Policy(history, *parts, budget)), ("confirm", confirming))
        )  # fmt: skip
        self._program = Program(
            self.search, [self.confirm], lambda: self.confirm.extend(self.confirmation.go_on()[1])
        )

    @staticmethod
    def seconds(x: float) -> float:
        """Of an epoch."""
        return 10 * x**3

    def run(self, epochs: float = float("inf")) -> bool:
        """To its end, or until so many are trained; whether it is over."""
        due, order, idle, trained = [], itertools.count(), self._workers, 0
        while not self._program.is_done:
            if trained >= epochs:
                return False
            while idle and (job := self._program.next()) is not None:
                idle -= 1
                self._train(due, next(order), job, job.assignment.known + 1)
            self.clock, _, job, epoch = heapq.heappop(due)
            trained += 1
            score = job.assignment.params["x"] if job.phase == "search" else 0.5
            told = EpochRecord(epoch, score, {"epoch_seconds": self.seconds(job.assignment.params["x"])})
            if self._program.on_record(job.phase, job.assignment.number, told) is Decision.CONTINUE:
                self._train(due, next(order), job, epoch + 1)
            else:
                idle += 1
        return True

    def _train(self, due, order, job, epoch) -> None:
        heapq.heappush(due, (self.clock + self.seconds(job.assignment.params["x"]), order, job, epoch))

    def epochs(self, *phases: str) -> int:
        return sum(
            len(trial.intermediate_values) for phase in phases for trial in self.ledgers[phase].trials()
        )


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 2, 3, 5, 8, 12, 40]))
def test_a_confirmation_that_goes_to_its_end_takes_just_what_was_kept(finalists, seeds, workers):
    store = storage()
    searched(store, 5)
    whole = Simulated(store, workers, finalists=finalists, seeds=seeds)
    kept = whole.confirmation.kept(EPOCHS)
    assert kept.trainings == most_trainings(finalists, seeds)
    whole.run()
    assert whole.epochs("confirm") == kept.epochs(EPOCHS)
    dear = [EPOCHS * whole.seconds(0.9 - 0.01 * number) for number in range(finalists)]
    baseline = EPOCHS * whole.seconds(SPACE.baseline()["x"])
    assert whole.clock == pytest.approx(kept.seconds(dear, baseline, workers))


@pytest.mark.parametrize("trained", [1, 10, 2 * EPOCHS, 3 * EPOCHS])
def test_what_the_baseline_has_trained_beside_the_search_is_counted_once(trained):
    store = storage()
    ledger_on(store).enqueue(SPACE.baseline())
    confirming = Simulated(store, 2).confirmation
    assert confirming.kept(EPOCHS).trained == 0
    left = trained
    while left > 0:
        number = confirming.ledger.ask(lambda number: number).number
        for epoch in range(1, min(left, EPOCHS) + 1):
            confirming.ledger.record(number, EpochRecord(epoch, 0.5, {}))
        left -= EPOCHS
    kept = Simulated(store, 2).confirmation.kept(EPOCHS)
    assert kept.trained == trained
    assert kept.trainings == pytest.approx(15 - trained / EPOCHS)
    assert kept.epochs(EPOCHS) == pytest.approx(15 * EPOCHS)  # of which the search's own epochs are no part


def test_a_study_that_is_made_longer_counts_what_its_first_confirmation_trained():
    """Who the finalists will be then is open: only the baseline's trainings are sure to serve once more."""
    store = storage()
    searched(store, 5)
    Simulated(store, 1).run()
    kept = Simulated(store, 1).confirmation.kept(EPOCHS)
    assert (kept.trained, kept.trainings) == (15 * EPOCHS, 12)
    more = Simulated(store, 1, seeds=5).confirmation.kept(EPOCHS)
    assert more.trainings == 9 + 5 + 2


def test_a_search_that_is_over_does_not_begin_again_while_it_is_confirmed():
    """Not even where the confirmation turns out to take less time than was kept for it."""
    store, moment = storage(), [0.0]
    ledger_on(store).enqueue(SPACE.baseline())
    search = Phase(
        "search", ledger_on(store), policy(NoScheduler(), seconds=10.0), max_epochs=EPOCHS,
        seed_of=lambda number: number, listener=Listener(), clock=lambda: moment[0],
    )  # fmt: skip
    program = Program(search)
    job = program.next()
    moment[0] = 11.0
    for epoch in range(1, EPOCHS + 1):
        program.on_record("search", job.assignment.number, EpochRecord(epoch, 0.5, {}))
    assert program.next() is None
    assert program.is_done
    moment[0] = 5.0
    assert program.next() is None
    assert program.is_done


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("killed", [False, True])
def test_search_and_confirmation_end_within_a_limit_of_epochs(workers, killed):
    for salt in range(4):
        store, limit = storage(), 40 * EPOCHS
        ledger_on(store).enqueue(SPACE.baseline())
        study = Simulated(store, workers, salt=salt, epochs=limit)
        while not study.run(50 if killed else float("inf")):
            study = Simulated(store, workers, study.clock, salt=salt, epochs=limit)
        assert study.epochs("confirm") == 15 * EPOCHS
        assert limit - 2 * EPOCHS <= study.epochs("search", "confirm") <= limit


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("killed", [False, True])
def test_search_and_confirmation_end_within_a_limit_of_time(workers, killed):
    for salt in range(2):
        store, limit = storage(), 100 * EPOCHS * 3 / workers
        ledger_on(store).enqueue(SPACE.baseline())
        study = Simulated(store, workers, salt=salt, seconds=limit)
        while not study.run(200 if killed else float("inf")):
            study = Simulated(store, workers, study.clock, salt=salt, seconds=limit)
        assert study.epochs("confirm") == 15 * EPOCHS
        assert 0.93 * limit <= study.clock <= 1.01 * limit


# --- what it leaves the search -------------------------------------------------------------------------


def history(*runs: tuple[int, float, float]) -> History:
    """Runs of so many epochs, with a score, each epoch of so many seconds; those that are whole are COMPLETE."""
    made = History(SPACE, EPOCHS, timed=True)
    for number, (epochs, score, seconds) in enumerate(runs):
        made.begin(number, {"x": 0.5})
        for epoch in range(1, epochs + 1):
            made.record(number, epoch, score, seconds)
        made[number].status = Status.COMPLETE if epochs == EPOCHS else Status.PAUSED
    return made


@given(st.floats(1, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_search_has_half_of_a_limit_at_least_and_never_more_than_it(limit, kept, gone):
    found = of_search(limit, kept, gone)
    assert limit / 2 <= found <= limit
    assert found >= limit - kept
    assert of_search(limit, 0.0, gone) == limit


def test_of_the_epochs_the_search_may_train_what_is_not_kept():
    seen = history((EPOCHS, 0.5, 1.0), (3, 0.5, 1.0))
    kept = DEFAULTS.epochs(EPOCHS)
    assert Budget(epochs=2 * kept + 20, kept=DEFAULTS).left(seen, 0.0) == Left(kept + 20 - 12, lost=True)
    assert Budget(epochs=kept, kept=DEFAULTS).left(seen, 0.0).together == kept / 2 - 12
    assert Budget(epochs=kept, kept=NOTHING).left(seen, 0.0).together == kept - 12
    assert Budget(trials=9, kept=DEFAULTS).left(seen, 0.0) == Left(
        float("inf")
    )  # trials are the search's alone
    assert Budget(epochs=24, kept=DEFAULTS).spent(seen, 0.0) == 1.0
    assert Budget(epochs=48, kept=DEFAULTS).spent(seen, 0.0) == 0.5
    assert Budget(epochs=24, kept=DEFAULTS).stage(seen, 0.0, lambda *_: False) is Stage.OVER
    assert Budget(epochs=24).stage(seen, 0.0, lambda *_: False) is Stage.OPEN


def test_of_the_time_what_the_confirmation_takes_at_the_studys_own_pace():
    seen = history((EPOCHS, 0.5, 2.0), (EPOCHS, 0.4, 2.0), (3, 0.3, 2.0))
    budget = Budget(seconds=1000.0, kept=DEFAULTS)
    left = budget.left(seen, 42.0)  # 21 epochs in as many seconds as they took
    assert left.together == pytest.approx((1000 - 15 * EPOCHS * 2 - 42) / 2)
    assert left.each == left.together
    waiting = Budget(seconds=2000.0, kept=DEFAULTS).left(
        seen, 84.0
    )  # half of it was waited, as will be again
    assert waiting.together == pytest.approx((2000 - 15 * EPOCHS * 4 - 84) / 4)
    two = Budget(seconds=1000.0, kept=DEFAULTS, workers=2).left(seen, 21.0)
    units = DEFAULTS.seconds([1.0] * 3, 1.0, 2)
    assert two.together == pytest.approx((1000 - units * EPOCHS * 2 - 21) * 1.0)
    assert two.each == two.together / 2


def test_the_best_so_far_are_taken_for_the_finalists_as_dear_as_they_are():
    dear = history((EPOCHS, 0.5, 1.0), (EPOCHS, 0.9, 6.0), (EPOCHS, 0.8, 4.0), (3, 0.7, 4.0), (6, 0.1, 0.1))
    seconds = sum(run.seconds for run in dear)
    kept = EPOCHS * (3 * 1.0 + 3 * (6.0 + 4.0 + 4.0) + 3 * 6.0)
    assert Budget(seconds=2000.0, kept=DEFAULTS).spent(dear, seconds) == pytest.approx(
        seconds / (2000 - kept)
    )
    dear[1].status = Status.FAILED
    kept = EPOCHS * (3 * 1.0 + 3 * (4.0 + 4.0 + 1.0) + 3 * 4.0)
    assert Budget(seconds=2000.0, kept=DEFAULTS).spent(dear, seconds) == pytest.approx(
        seconds / (2000 - kept)
    )


def test_nothing_is_known_of_the_time_before_the_first_epoch_and_a_slow_start_is_not_halved():
    begun = History(SPACE, EPOCHS, timed=True)
    begun.begin(0, {"x": 0.5})
    budget = Budget(seconds=100.0, kept=DEFAULTS)
    assert budget.left(begun, 60.0).together == float("inf")
    assert budget.spent(begun, 60.0) == 0.6
    begun.began = 60.0
    begun.record(0, 1, 0.5, 5.0)
    assert budget.left(begun, 65.0).together == pytest.approx((60 + 20 - 65) / 5)


def test_why_no_trial_begins_says_what_is_kept():
    seen = history((EPOCHS, 0.5, 2.0), (3, 0.5, 2.0), (3, 0.5, 2.0))
    needed = "of its budget are needed to finish the best trials"
    assert Budget(epochs=300, kept=DEFAULTS).reason(seen, 30.0) == (
        f"the 300 epochs {needed}, about 135 of them for the confirmation"
    )
    assert Budget(epochs=300).reason(seen, 30.0) == f"the 300 epochs {needed}"
    assert Budget(seconds=1000.0, kept=DEFAULTS).reason(seen, 30.0) == (
        f"the 1000 seconds {needed}, about 270 of them for the confirmation"
    )
    seen.began = 2000.0
    assert (
        Budget(seconds=1000.0, kept=DEFAULTS).reason(seen, 2100.0) == f"the 1000 seconds {needed}"
    )  # over before
    seen.began = 0.0
    both = Budget(epochs=300, seconds=1000.0, kept=DEFAULTS)
    assert both.reason(seen, 30.0).startswith("the 300 epochs")


def test_a_limit_that_is_too_small_is_said():
    assert Budget(epochs=300, kept=DEFAULTS).terms(EPOCHS) == (
        "135 of the 300 epochs are kept for the confirmation"
    )
    assert Budget(epochs=270, kept=DEFAULTS).terms(EPOCHS).startswith("135 of the 270")
    short = "the confirmation may take longer than the limit leaves: about"
    assert (
        Budget(epochs=200, kept=DEFAULTS).terms(EPOCHS)
        == f"{short} 135 epochs, but of 200 the search has 100"
    )
    assert Budget(epochs=200, trials=5, kept=DEFAULTS).terms(EPOCHS).startswith("135 of")  # they need no more
    assert Budget(epochs=200).terms(EPOCHS) == Budget(seconds=200.0, kept=DEFAULTS).terms(EPOCHS) == ""

    few = history((5, 0.5, 2.0))
    assert Budget(seconds=300.0, kept=DEFAULTS).shortage(few, 10.0) == ""  # the pace cannot be seen yet
    seen = history((EPOCHS, 0.5, 2.0), (3, 0.5, 2.0), (3, 0.5, 2.0))
    assert Budget(seconds=300.0, kept=DEFAULTS).shortage(seen, 30.0) == (
        f"{short} 270 seconds, but of 300 the search has 150"
    )
    assert Budget(seconds=600.0, kept=DEFAULTS).shortage(seen, 30.0) == ""
    assert (
        Budget(seconds=300.0).shortage(seen, 30.0)
        == Budget(epochs=9, kept=DEFAULTS).shortage(seen, 30.0)
        == ""
    )
