"""The winner with one parameter changed at a time, on a ledger, with effects that were planted."""

from __future__ import annotations

import random

import pytest
from optuna.trial import TrialState

from search.answer.confirmation import measuring_seeds
from search.answer.perturbation import RECIPE, Perturbation, changed, check_parameters
from search.ledger import Ledger, make_study
from spaces import Choice, Float, InputError, Int, SearchSpace, Switch
from tests.search.phases import storage
from trainables.protocol import EpochRecord

SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "dropout": Float(0.0, 0.8),
        "augment": Float(0.0, 1.0),
        "batch_size": Int(8, 64, log=True),
        "layers": Int(0, 8),
        "schedule": Choice(("cosine", "linear")),
        "strategy": Switch({"full": SearchSpace({}), "decay": SearchSpace({"ratio": Float(0.1, 0.9)})}),
    }
)
WINNER = SPACE.draw(
    lambda name, leaf: {
        "lr": 3e-3, "dropout": 0.3, "augment": 0.5, "batch_size": 16, "layers": 5, "schedule": "cosine",
        "strategy": "decay", "strategy.decay.ratio": 0.5,
    }[name]
)  # fmt: skip
PLANTED = {"lr", "strategy", "strategy.decay.ratio"}


def truth(params) -> float:
    """The learning rate, the strategy and its ratio matter, and nothing else does."""
    score = 0.9 - 0.03 * (params["lr"] != 3e-3)
    if params["strategy"] == "full":
        return score - 0.03
    return score - 0.15 * abs(params["strategy.decay.ratio"] - 0.5)


def perturbation_on(store, seeds=3, seed=0, winner=WINNER, only=()):
    names = ("study@perturb", "study@confirm")
    ledgers = [Ledger(make_study(store, name, None), SPACE) for name in names]
    return Perturbation(*ledgers, winner, seeds=seeds, seed=seed, only=only)


def train(ledger, rng, noise=0.004, most=10**9, fails=lambda params: False) -> int:
    """Train what is entered, in order; how many."""
    trained = 0
    luck = {}
    while ledger.waiting and trained < most:
        trial = ledger.ask(lambda number: 0)
        trained += 1
        if fails(trial.params):
            ledger.fail(trial.number, "diverged", diverged=True)
            continue
        shared = luck.setdefault(trial.seed, rng.gauss(0, 0.01))  # what a seed does to all recipes
        score = truth(trial.params) + shared + rng.gauss(0, noise)
        ledger.record(trial.number, EpochRecord(1, score, {}))
        ledger.finish(trial.number, TrialState.COMPLETE, "")
    return trained


def test_every_parameter_is_changed_up_down_and_off_and_nothing_else_with_it():
    changes = list(changed(SPACE, WINNER))
    for name, params in changes:
        SPACE.check(params)
        shared = {
            other
            for other in params.keys() & WINNER.keys()
            if other != name and params[other] != WINNER[other]
        }
        assert not shared
        assert params[name] != WINNER[name]
    values = {}
    for name, params in changes:
        values.setdefault(name, []).append(params[name])
    assert values["lr"] == [pytest.approx(1e-3), pytest.approx(9e-3)]  # log: there is no off
    assert values["dropout"] == [pytest.approx(0.1), pytest.approx(0.5), 0.0]
    assert values["augment"] == [pytest.approx(0.25), pytest.approx(0.75), 0.0]
    assert values["batch_size"] == [8, 32]
    assert values["layers"] == [3, 7, 0]
    assert type(values["layers"][-1]) is int
    assert values["schedule"] == ["linear"]
    assert values["strategy"] == ["full"]
    near = {**WINNER, "dropout": 0.1}  # a step down is off already
    assert [params["dropout"] for name, params in changed(SPACE, near) if name == "dropout"] == [0.0, 0.3]


def test_planted_effects_are_named_and_no_others_over_twenty_seeds():
    for seed in range(20):
        perturbation = perturbation_on(storage(), seed=seed)
        perturbation.enter()
        train(perturbation.ledger, random.Random(seed))
        changes = perturbation.changes()
        assert changes.left == 0
        assert {change.parameter for change in changes.told} == PLANTED, seed
        assert {change.verdict for change in changes.told} == {"worse"}
        for change in changes.changes:
            assert change.effect == pytest.approx(truth(change.params) - truth(WINNER), abs=change.margin)


def test_what_is_better_than_the_winner_is_told():
    winner = {**WINNER, "strategy.decay.ratio": 0.1}
    perturbation = perturbation_on(storage(), winner=winner)
    perturbation.enter()
    train(perturbation.ledger, random.Random(0))
    better = [change for change in perturbation.changes().changes if change.verdict == "better"]
    assert [change.parameter for change in better] == ["strategy", "strategy.decay.ratio"]


def test_trainings_of_the_confirmation_are_not_done_again_and_nothing_twice():
    store = storage()
    perturbation = perturbation_on(store, seeds=4)
    confirm = Ledger(make_study(store, "study@confirm", None), SPACE)
    for seed in measuring_seeds(0, 3):
        confirm.enqueue(WINNER, candidate="trial 3", seed=seed)
    train(confirm, random.Random(5), noise=0)
    count = perturbation.count
    assert perturbation.enter() == 4 * count + 1  # the winner with the fourth seed alone
    assert perturbation.enter() == 4 * count + 1
    train(perturbation.ledger, random.Random(5), most=count + 3)
    again = perturbation_on(store, seeds=4)
    assert again.enter() == 4 * count + 1
    changes = again.changes()
    assert changes.left == 4 * count + 1 - (count + 3)
    assert len(changes.scores) == 3
    first = [change for change in changes.changes if len(change.scores) >= 1]
    assert len(first) == count  # seed by seed: each change has its first before any has its second
    train(again.ledger, random.Random(5))
    assert again.changes().left == 0
    assert len({(one.user_attrs[RECIPE], one.user_attrs["seed"]) for one in again.ledger.trials()}) == (
        4 * count + 1
    )


def test_another_winner_is_changed_anew_and_what_was_trained_of_the_old_stays():
    store = storage()
    first = perturbation_on(store, only=("schedule",))
    assert first.enter() == 3 * 2
    train(first.ledger, random.Random(0))
    winner = {**WINNER, "schedule": "linear"}
    second = perturbation_on(store, winner=winner, only=("schedule",))
    assert second.enter() == 3 * 2  # the old winner is its change, and the old change is it
    (change,) = second.changes().changes
    assert (change.before, change.after) == ("linear", "cosine")
    assert change.effect == pytest.approx(-first.changes().changes[0].effect)


def test_changes_that_fail_are_told_to():
    perturbation = perturbation_on(storage())
    perturbation.enter()
    train(perturbation.ledger, random.Random(0), fails=lambda params: params["lr"] > 5e-3)
    changes = perturbation.changes()
    assert changes.left == 0
    (failing,) = [change for change in changes.changes if change.failed]
    assert (failing.parameter, failing.failed, failing.verdict) == ("lr", 3, "fails")
    assert failing.effect is None


def test_a_parameter_that_the_winner_has_not_is_refused():
    check_parameters(SPACE, WINNER, ["lr", "strategy.decay.ratio"])
    with pytest.raises(InputError, match="must be one of the winner's that can vary, but got 'droput'"):
        check_parameters(SPACE, WINNER, ["droput"])
    with pytest.raises(InputError, match=r"strategy\.decay\.ratio"):
        check_parameters(SPACE, {**WINNER, "strategy": "full"}, ["strategy.decay.ratio"])
