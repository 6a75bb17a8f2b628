"""Diagnoses that gather in a region are found with what leaves it out; those that are scattered are not."""

from __future__ import annotations

import random

import pytest

from search.gathering.gathering import Shown, gatherings
from search.gathering.regions import Condition, _conditions, _table
from search.reading import parse_setting
from spaces import Choice, Float, Int, SearchSpace, Switch, load_space
from spaces.suggest import random_suggest

RATE = Float(1e-4, 1e-1, log=True)
SPACE = SearchSpace(
    {
        "optimizer": Choice(("sgd", "adamw", "lion")),
        "nesterov": Choice((True, False)),
        "dropout": Float(0.0, 0.5),
        "batch_size": Int(8, 64, log=True),
        "strategy": Switch(
            {
                "full": SearchSpace({"lr": RATE}),
                "head": SearchSpace({"lr": RATE}),
                "decay": SearchSpace({"lr": RATE, "ratio": Float(0.01, 1.0, log=True)}),
            }
        ),
    }
)


def recipes(seed, trials=60, space=SPACE):
    rng = random.Random(seed)
    return [space.draw(random_suggest(rng)) for _ in range(trials)]


def rate(params) -> float:
    return params[f"strategy.{params['strategy']}.lr"]


def shown(rule, seed, kind="diverged", epochs=9):
    return [Shown(one, frozenset({kind} if rule(one) else ()), epochs) for one in recipes(seed)]


@pytest.mark.parametrize(
    ("rule", "words", "setting"),
    [
        (lambda one: rate(one) > 2e-2, ["strategy.*.lr from 0.02"], "--set strategy.full.lr=[0.0001,0.02"),
        (lambda one: one["optimizer"] == "lion", ["optimizer lion"], "--set optimizer=[sgd,adamw]"),
        (lambda one: one["batch_size"] < 14, ["batch_size up to 1"], "--set batch_size=[1"),
        (
            lambda one: one["optimizer"] == "sgd" and rate(one) > 3e-3,
            ["optimizer sgd", "strategy.*.lr from 0.0"],
            "--set strategy.full.lr=[0.0001,0.0",
        ),
        (
            lambda one: one.get("strategy.full.lr", 0) > 3e-3,
            ["strategy.full.lr from 0.0"],
            "--set strategy.full.lr=[0.0001,0.0",
        ),
    ],
)
def test_a_region_is_named_with_what_leaves_it_out(rule, words, setting):
    (found,) = gatherings(SPACE, shown(rule, 3))
    assert all(word in found.where for word in words), found.where
    assert len(found.conditions) == len(words)
    assert found.hits == found.inside
    assert found.others == 0
    assert found.settings[0].startswith(setting)
    narrowed = SPACE.narrow(dict(parse_setting(one.removeprefix("--set ")) for one in found.settings))
    left = recipes(4, 200, narrowed)
    assert sum(map(rule, left)) <= 0.1 * len(left)  # the border is that of the nearest trial


def test_what_is_said_is_one_sentence_with_its_figures():
    (found,) = gatherings(SPACE, shown(lambda one: one["optimizer"] == "lion", 0))
    assert found.sentence == (
        f"{found.hits} of {found.hits} trials with optimizer lion diverged, and 0 of the {60 - found.hits} others: "
        "narrow the range (--set optimizer=[sgd,adamw]), or clip gradients"
    )


def test_scattered_diagnoses_are_called_a_region_in_one_study_of_fifty_at_most():
    told = 0
    for seed in range(100):
        rng = random.Random(1000 + seed)
        told += bool(gatherings(SPACE, shown(lambda one, rng=rng: rng.random() < 0.2, seed)))
    assert told <= 3


def test_too_few_and_all_are_no_region():
    picked = [id(one) for one in recipes(0)[:2]]
    assert gatherings(SPACE, shown(lambda one: id(one) in picked, 0)) == []
    assert gatherings(SPACE, shown(lambda one: True, 0)) == []
    assert gatherings(SPACE, []) == []


def test_who_was_stopped_before_a_kind_can_show_does_not_count():
    """Half of the trials came to one epoch; `overfitting` shows after six."""
    late = shown(lambda one: one["optimizer"] == "lion", 1, "overfitting")
    early = [Shown(one, frozenset(), 1) for one in recipes(2)]
    (found,) = gatherings(SPACE, [*late, *early])
    assert (found.hits, found.inside, found.outside) == (found.inside, found.inside, 60 - found.inside)
    assert "regularise more" in found.sentence


def test_kinds_that_were_told_are_passed_over():
    trials = shown(lambda one: one["optimizer"] == "lion", 1)
    assert gatherings(SPACE, trials, frozenset({"diverged"})) == []


def test_true_is_not_one():
    true = Condition("nesterov", ("nesterov",), option=True)
    assert true.holds({"nesterov": True})
    assert not true.holds({"nesterov": 1})
    assert str(true) == "nesterov true"


@pytest.mark.parametrize("space", [SPACE, load_space("recipe")])
def test_conditions_taken_together_are_what_each_says_of_a_recipe(space):
    """Conditional parameters: who has none of them does not meet the condition."""
    there = recipes(7, 40, space)
    conditions = _conditions(space, there)
    table = _table(conditions, there)
    assert len(conditions) > 50
    for row, condition in zip(table, conditions, strict=True):
        assert [bool(one) for one in row] == [condition.holds(one) for one in there], condition
