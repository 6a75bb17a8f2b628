"""Recipes that differ in one or two parameters alone."""

from __future__ import annotations

import numpy as np
import pytest

from search.encoding import Encoding
from search.insight.variation import STEPS, Variation
from spaces import Choice, Float, Int, SearchSpace, Switch, load_space

SPACE = SearchSpace(
    {
        "dropout": Float(0.0, 0.5),
        "batch_size": Int(8, 12),
        "fixed": Float(1.0, 1.0),
        "strategy": Switch(
            {
                "full": SearchSpace({"lr": Float(1e-4, 1e-2, log=True)}),
                "decay": SearchSpace({"lr": Float(1e-4, 1e-1, log=True), "ratio": Float(0.1, 0.9)}),
                "head": SearchSpace({}),
            }
        ),
        "schedule": Choice(("cosine", "linear")),
    }
)


@pytest.fixture
def variation():
    return Variation(Encoding(SPACE))


def recipes_of(points) -> list:
    encoding = Encoding(SPACE)
    return [encoding.decode(point) for point in points.reshape(-1, encoding.columns)]


def test_parameters_of_several_branches_are_one_and_what_is_fixed_is_none(variation):
    assert variation.names == [
        "dropout", "batch_size", "strategy", "strategy.*.lr", "strategy.decay.ratio", "schedule",
    ]  # fmt: skip
    assert variation.qualified("strategy.*.lr") == ["strategy.full.lr", "strategy.decay.lr"]
    assert variation.branches("strategy.*.lr") == {"strategy": ["full", "decay"]}
    assert variation.branches("strategy.decay.ratio") == {"strategy": ["decay"]}
    assert variation.branches("dropout") == {}
    assert variation.commonness("strategy.*.lr") == pytest.approx(2 / 3)
    assert variation.commonness("strategy.decay.ratio") == pytest.approx(1 / 3)
    assert variation.commonness("schedule") == 1
    assert variation.has("strategy.*.lr", {"strategy": "full", "strategy.full.lr": 1e-3})
    assert not variation.has("strategy.*.lr", {"strategy": "head"})


def test_values_lie_in_the_middle_of_equal_parts_on_the_scale_of_the_parameter(variation):
    assert variation.values("dropout") == pytest.approx([(step + 0.5) / STEPS / 2 for step in range(STEPS)])
    rates = variation.values("strategy.*.lr")
    assert len(rates) == STEPS
    assert np.diff(np.log10(rates)) == pytest.approx(3 / STEPS, rel=1e-4)  # the wider range of the two
    assert variation.values("batch_size") == [8, 9, 10, 11, 12]
    assert variation.values("schedule") == ["cosine", "linear"]


@pytest.mark.parametrize("name", ["dropout", "batch_size", "schedule"])
def test_nothing_but_the_parameter_varies(variation, name):
    points = variation.points(np.random.default_rng(0), 16, [name])
    recipes = np.array(recipes_of(points)).reshape(points.shape[:2])
    for index, value in enumerate(variation.values(name)):
        for others, recipe in zip(recipes[0], recipes[index], strict=True):
            SPACE.check(recipe)
            assert recipe[name] == pytest.approx(value) if name == "dropout" else recipe[name] == value
            assert {key for key in recipe if recipe[key] != others.get(key)} <= {name}


def test_a_parameter_of_branches_is_set_in_each_of_them_by_turns(variation):
    points = variation.points(np.random.default_rng(0), 16, ["strategy.*.lr"])
    for index, value in enumerate(variation.values("strategy.*.lr")):
        recipes = recipes_of(points[index])
        taken = [recipe["strategy"] for recipe in recipes]
        assert taken == ["full", "decay"] * 8
        assert all(recipe["strategy.decay.lr"] == pytest.approx(value, rel=1e-3) for recipe in recipes[1::2])
        assert all(
            recipe["strategy.full.lr"]
            == pytest.approx(min(value, 1e-2), rel=1e-3)  # no more than its range has
            for recipe in recipes[::2]
        )


def test_a_switch_takes_each_branch_and_a_pair_that_cannot_be_is_missing(variation):
    points = variation.points(np.random.default_rng(0), 8, ["strategy"])
    assert [recipe["strategy"] for recipe in recipes_of(points)] == ["full"] * 8 + ["decay"] * 8 + [
        "head"
    ] * 8
    pair = variation.points(np.random.default_rng(0), 4, ["strategy", "strategy.decay.ratio"])
    there = ~np.isnan(pair).any(axis=(-2, -1))
    assert there.all(axis=1).tolist() == [False, True, False]
    assert not there[0].any()
    rates = variation.points(np.random.default_rng(0), 4, ["strategy", "strategy.*.lr"])
    assert (~np.isnan(rates).any(axis=(-2, -1))).all(axis=1).tolist() == [True, True, False]


@pytest.mark.parametrize("preset", ["finetune", "recipe", "probe", "scratch"])
def test_every_preset_varies(preset):
    space = load_space(preset)
    variation = Variation(Encoding(space))
    qualified = [one for name in variation.names for one in variation.qualified(name)]
    assert set(qualified) >= {name for name, leaf in space.leaves().items() if not leaf.is_fixed}
    for name in variation.names:
        points = variation.points(np.random.default_rng(0), 3, [name])
        assert len(points) == len(variation.values(name))
        assert np.isfinite(points).all()
        assert points.min() >= 0
        assert points.max() <= 1
