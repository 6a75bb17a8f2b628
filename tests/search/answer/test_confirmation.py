"""The confirmation after a search: a race on new seeds, the baseline beside, the test split once."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
import torch
from optuna.trial import TrialState

from search.answer.confirmation import BASELINE, Confirmation
from search.answer.hits import Hits
from search.answer.measured import Measured
from search.answer.race import MOST
from search.decisions.phase import Phase
from search.decisions.program import Program
from search.decisions.scheduler import Decision, NoScheduler
from tests.search.phases import (
    EPOCHS,
    SPACE,
    Told,
    curve,
    ledger_on,
    phase_on,
    policy,
    storage,
)
from trainables.protocol import EpochRecord
from trainables.soundness.judging import judge
from trainables.soundness.soundness import Soundness, pooled


def confirmation_on(store, finalists=2, seeds=2, workers=1) -> Confirmation:
    return Confirmation(
        ledger_on(store), ledger_on(store, "study@confirm"),
        baseline=SPACE.baseline(), finalists=finalists, seeds=seeds, seed=0, workers=workers,
    )  # fmt: skip


class Killed(Exception):
    """The driver is."""


def run_all(
    store, listener, rng, noise=0.001, trials=6, fails=lambda label: False, epochs=10**9, salt=0, **settings
):
    """Search and confirmation to their end, or until so many epochs are trained; what was said of the race."""
    confirmation = confirmation_on(store, **settings)
    if not confirmation.ledger.trials() and not ledger_on(store).trials():
        ledger_on(store).enqueue(SPACE.baseline())
    search = phase_on(store, target=trials, scheduler=NoScheduler(), listener=listener)
    confirm = Phase(
        "confirm", confirmation.ledger, policy(NoScheduler(), trials=confirmation.enter_baseline()), max_epochs=EPOCHS,
        seed_of=lambda number: number, listener=listener,
    )  # fmt: skip
    told = []

    def go_on():
        race, entered, expected = confirmation.go_on()
        assert expected >= entered
        confirm.extend(entered)
        told.append(race)

    program = Program(search, [confirm], go_on)
    live, trained = {}, 0
    while not program.is_done:
        while len(live) < 2 and (job := program.next()) is not None:
            live[job.phase, job.assignment.number] = [job, job.assignment.known]
        if trained >= epochs:
            raise Killed
        trained += 1
        key = rng.choice(sorted(live))
        job, epoch = live[key]
        label = search.ledger.trial(key[1]).user_attrs if key[0] == "search" else confirm.ledger.trial(key[1])
        if key[0] == "confirm" and fails(label.user_attrs["candidate"]):
            program.on_failure(*key, "diverged", diverged=True)
            del live[key]
            continue
        live[key][1] = epoch = epoch + 1
        luck = random.Random(f"{job.assignment.seed} {job.assignment.params} {salt}").gauss(0, noise)
        record = EpochRecord(epoch, curve(job.assignment.params["x"], epoch) + luck, {})
        if program.on_record(*key, record) is Decision.STOP:
            del live[key]
    return confirmation, told


def trainings_of(confirmation) -> dict[str, set[int]]:
    seeds = defaultdict(set)
    for trial in confirmation.ledger.trials():
        assert trial.user_attrs["seed"] not in seeds[trial.user_attrs["candidate"]]
        seeds[trial.user_attrs["candidate"]].add(trial.user_attrs["seed"])
    return seeds


def sound(share: float) -> Soundness:
    """Of the images that `right` has, of two classes by turns."""
    labels = torch.arange(100) % 2
    guesses = torch.where(torch.tensor(list(right(share).counts)) > 0, labels, 1 - labels)
    logits = 2.0 * torch.nn.functional.one_hot(guesses, 2)
    found = judge(logits, labels, logits, labels, ("even", "odd"))
    assert found is not None
    return found


def right(share: float) -> Hits:
    return Hits(bytes(image < 100 * share for image in range(100)))


def test_finalists_race_and_the_winner_and_the_baseline_are_measured_with_other_seeds():
    store, listener = storage(), Told()
    confirmation, told = run_all(store, listener, random.Random(0))
    opened = []

    def evaluate(training):
        opened.append(training.number)
        share = training.params["x"]
        return Measured(right(share), sound(share))

    answer = confirmation.answer(evaluate)
    assert len(opened) == 4  # two seeds of the winner, two of the baseline
    assert len(answer.openings) == 1
    assert " by " in answer.openings[0]
    assert " on " in answer.openings[0]
    again = confirmation_on(store).answer(evaluate)
    assert len(opened) == 4
    assert again == answer
    complete = [trial for trial in ledger_on(store).trials() if trial.state is TrialState.COMPLETE]
    assert answer.winner.params["x"] == max(trial.params["x"] for trial in complete)
    assert list(answer.winner.test) == [right(answer.winner.params["x"]).accuracy] * 2
    assert list(answer.baseline.test) == [0.5, 0.5]
    assert answer.difference.images == 100
    assert answer.winner.soundness == pooled([sound(answer.winner.params["x"])] * 2)
    assert answer.winner.soundness.networks == 2
    assert answer.baseline.soundness == pooled([sound(0.5)] * 2)

    seeds = trainings_of(confirmation)
    loser = next(one for one in answer.finalists if one.label != answer.winner.label)
    assert len(seeds[loser.label]) == 2
    assert len(seeds[BASELINE]) == 2
    assert seeds[answer.winner.label] == seeds[loser.label] | seeds[BASELINE]
    assert (
        not seeds[loser.label] & seeds[BASELINE]
    )  # what chose it has no part in what it is said to be worth
    assert not {trial.user_attrs["seed"] for trial in complete} & set.union(*seeds.values())
    assert [race.over for race in told][-1]
    assert told[-1].contenders[0] == answer.winner.label


def test_the_race_ends_when_it_is_decided_and_goes_on_while_it_is_close():
    clear, told = run_all(storage(), Told(), random.Random(0), noise=1e-6, finalists=3, seeds=5)
    assert told[-1].seeds == 2
    winner = told[-1].contenders[0]
    assert sorted(len(seeds) for seeds in trainings_of(clear).values()) == [2, 2, 5, 7]
    assert len(trainings_of(clear)[winner]) == 7
    longer = 0
    for salt in range(6):  # of equals two rounds may tell one apart by chance
        close, told = run_all(
            storage(), Told(), random.Random(0), noise=10.0, salt=salt, finalists=3, seeds=5
        )
        longer += told[-1].seeds == MOST
        assert confirmation_answer(close).winner.label == told[-1].contenders[0]
    assert longer >= 4


def confirmation_answer(confirmation):
    return confirmation.answer(lambda training: Measured(right(0.5)))


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_whoever_looks_sees_the_same_winner_whatever_their_workers(workers):
    store = storage()
    confirmation, _ = run_all(
        store, Told(), random.Random(1), noise=1.0, finalists=3, seeds=4, workers=workers
    )
    answer = confirmation_answer(confirmation)
    for others in (1, 3, 16):
        seen = confirmation_on(store, finalists=3, seeds=4, workers=others)
        before = len(seen.ledger.trials())
        assert seen.answer(None) == answer
        assert seen.go_on()[1:] == (before, before)  # nothing is left to be trained


def test_workers_that_would_idle_train_all_seeds_at_once():
    _, told = run_all(storage(), Told(), random.Random(0), noise=1e-6, finalists=3, seeds=4, workers=16)
    assert next(race.seeds for race in told if not race.over) == 3


def test_killed_at_any_moment_the_confirmation_ends_as_if_it_had_not_been():
    undisturbed, _ = run_all(storage(), Told(), random.Random(3), noise=0.5, finalists=3, seeds=4)
    expected = confirmation_answer(undisturbed)
    for epochs in range(1, 200, 7):
        store, killed = storage(), True
        while killed:
            try:
                confirmation, _ = run_all(
                    store, Told(), random.Random(3), noise=0.5, finalists=3, seeds=4, epochs=epochs + 40
                )
                killed = False
            except Killed:
                continue
        found = confirmation_answer(confirmation)
        assert {one.state for one in confirmation.ledger.trials()} == {TrialState.COMPLETE}
        assert found.winner.val == expected.winner.val
        assert trainings_of(confirmation) == trainings_of(undisturbed)


def test_a_finalist_whose_trainings_fail_does_not_win_and_nobody_is_waited_for():
    store = storage()
    confirmation, told = run_all(store, Told(), random.Random(0), finalists=3, seeds=2)
    best = confirmation_answer(confirmation).winner.label
    confirmation, told = run_all(
        storage(), Told(), random.Random(0), fails=lambda label: label == best, finalists=3, seeds=2
    )
    answer = confirmation_answer(confirmation)
    assert answer.winner.label != best
    assert best not in [one.label for one in answer.finalists]
    confirmation, told = run_all(
        storage(), Told(), random.Random(0), fails=lambda label: label != BASELINE, finalists=3, seeds=2
    )
    assert told[-1].contenders == []
    assert confirmation_answer(confirmation) is None


def test_the_split_stays_closed_where_nothing_of_the_winner_can_be_measured():
    store = storage()
    confirmation, _ = run_all(
        store, Told(), random.Random(0), finalists=1, fails=lambda label: label != BASELINE
    )
    opened = []
    assert confirmation.answer(opened.append) is None
    assert opened == []
    assert confirmation.ledger.noted("test_openings", []) == []


def test_a_test_split_that_is_opened_in_part_mixes_nothing():
    """The driver dies in the middle, or somebody looks meanwhile; at the end it is whole."""
    confirmation, _ = run_all(storage(), Told(), random.Random(0), seeds=3)
    opened = []
    for measured in range(6):

        def evaluate(training, measured=measured):
            if len(opened) >= measured:
                raise Killed
            opened.append(training.number)
            return Measured(right(training.params["x"]))

        with pytest.raises(Killed):
            confirmation.answer(evaluate)
        seen = confirmation.answer(None)
        assert len(seen.winner.values) == len(seen.baseline.values) == seen.difference.seeds
        assert bool(seen.winner.test) == bool(seen.baseline.test)
        assert seen.difference.seeds in (1, 2, 3)
    answer = confirmation_answer(confirmation)
    assert len(answer.winner.test) == len(answer.baseline.test) == 3
    assert answer.left == 0


def test_while_more_seeds_are_measured_the_answer_of_those_there_are_stays():
    store = storage()
    confirmation, _ = run_all(store, Told(), random.Random(0), seeds=3)
    answer = confirmation_answer(confirmation)
    more = confirmation_on(store, seeds=8)
    more.go_on()
    seen = more.answer(None)
    assert seen.left == 10
    assert (seen.winner, seen.difference) == (answer.winner, answer.difference)


def test_what_an_earlier_version_measured_is_still_told():
    confirmation, _ = run_all(storage(), Told(), random.Random(0), finalists=1)
    numbers = [trial.number for trial in confirmation.ledger.trials()]
    confirmation.ledger.note("test_accuracy", {str(number): 0.9 for number in numbers})
    answer = confirmation.answer(lambda training: pytest.fail("it was opened"))
    assert answer.winner.test == [0.9, 0.9]
    assert answer.difference.images == 0


def test_a_single_finalist_needs_no_race():
    confirmation, told = run_all(storage(), Told(), random.Random(0), finalists=1, seeds=3)
    assert [race.seeds for race in told][-1] == 0
    assert sorted(len(seeds) for seeds in trainings_of(confirmation).values()) == [3, 3]


def test_more_trials_and_more_seeds_later_go_on_from_what_is_there():
    store = storage()
    run_all(store, Told(), random.Random(0), noise=0.1, finalists=3, seeds=2)
    first = {trial.number: trial for trial in confirmation_on(store).ledger.trials()}
    confirmation, _ = run_all(store, Told(), random.Random(0), noise=0.1, trials=9, finalists=3, seeds=4)
    answer = confirmation_answer(confirmation)
    assert len(answer.winner.test) == 4
    for number, trial in first.items():
        assert confirmation.ledger.trial(number).value == trial.value


def test_the_baselines_trainings_fill_the_workers_while_the_search_ends():
    listener = Told()
    run_all(storage(), listener, random.Random(1))
    started = [event for event in listener.told if event[0] == "start"]
    first_confirmation = next(i for i, event in enumerate(started) if event[1] == "confirm")
    last_end = max(i for i, event in enumerate(listener.told) if event[:2] == ("end", "search"))
    assert listener.told.index(started[first_confirmation]) < last_end
