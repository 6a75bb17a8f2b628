"""Recipes as points of the unit cube, and back."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.encoding import Encoding
from spaces import Choice, Float, Int, SearchSpace, Switch, load_space, preset_names, random_suggest

INNER = SearchSpace({"v": Float(0, 1, step=0.25)})
NESTED = SearchSpace(
    {
        "a": Int(1, 100, log=True),
        "b": Int(0, 20, step=5),
        "c": Choice((0.0, 0.9, "x")),
        "d": Float(3, 3),
        "s": Switch(
            {
                "one": SearchSpace({"t": Switch({"u": INNER, "w": SearchSpace({})})}),
                "two": SearchSpace({"v": Float(1e-4, 1, log=True)}),
            }
        ),
    }
)
SPACES = [NESTED, *(load_space(name) for name in preset_names())]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name or "nested")
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_recipe_comes_back_from_its_point(space, seed):
    params = space.draw(random_suggest(random.Random(seed)))
    encoding = Encoding(space)
    point = encoding.encode(params)
    assert point.shape == (encoding.columns,)
    assert ((point >= 0) & (point <= 1)).all()
    back = encoding.decode(point)
    assert back.keys() == params.keys()
    for name, value in params.items():
        assert back[name] == (pytest.approx(value) if isinstance(value, float) else value)
    assert np.allclose(encoding.tidy(point[None])[0], point)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name or "nested")
def test_drawn_points_are_recipes(space):
    encoding = Encoding(space)
    points = encoding.draw(np.random.default_rng(0), 50)
    for point in points:
        params = encoding.decode(point)
        space.check(params)
        assert np.allclose(encoding.encode(params), point)


def test_what_a_branch_left_behind_makes_no_difference():
    encoding = Encoding(NESTED)
    points = np.repeat(encoding.encode(NESTED.baseline())[None], 2, axis=0)
    axis = next(axis for axis in encoding.axes if axis.name == "s.two.v")
    points[:, axis.start] = 0.1, 0.9  # idle: the baseline takes branch one
    tidied = encoding.tidy(points)
    assert np.array_equal(tidied[0], tidied[1])


def test_whole_numbers_are_drawn_alike_each():
    space = SearchSpace({"n": Int(1, 4)})
    encoding = Encoding(space)
    drawn = [encoding.decode(point)["n"] for point in encoding.draw(np.random.default_rng(0), 4000)]
    assert all(900 < drawn.count(n) < 1100 for n in (1, 2, 3, 4))


def test_parameters_of_one_name_share_a_column_over_the_union_of_their_ranges():
    space = SearchSpace(
        {
            "how": Switch(
                {
                    "full": SearchSpace({"lr": Float(1e-5, 1e-3, log=True), "n": Int(1, 3)}),
                    "head": SearchSpace({"lr": Float(1e-4, 1e-1, log=True), "n": Choice((1, 2))}),
                    "none": SearchSpace({"lr": Float(0.1, 0.2)}),
                }
            )
        }
    )
    encoding = Encoding(space)
    axes = {axis.name: axis for axis in encoding.axes}
    assert axes["how.full.lr"].start == axes["how.head.lr"].start != axes["how.none.lr"].start
    assert axes["how.full.n"].slot != axes["how.head.n"].slot  # one is a number, one a choice
    full = encoding.encode({"how": "full", "how.full.lr": 1e-3, "how.full.n": 1})
    head = encoding.encode({"how": "head", "how.head.lr": 1e-3, "how.head.n": 1})
    column = axes["how.full.lr"].start
    assert full[column] == head[column] == pytest.approx(0.5)  # of 1e-5 to 1e-1
    drawn = encoding.draw(np.random.default_rng(0), 3000)
    rates = [p["how.full.lr"] for point in drawn if (p := encoding.decode(point))["how"] == "full"]
    assert min(rates) < 1.1e-5
    assert max(rates) > 9e-4
    assert 0.4 < np.mean(np.array(rates) < 1e-4) < 0.6
