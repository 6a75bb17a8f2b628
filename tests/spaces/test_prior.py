"""What is believed of a parameter, in Python, in files and when a study narrows it."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces import Choice, Float, InvalidSpace, Prior, SearchSpace, Switch, load_space, space_from_dict

FILE = """
parameters:
  lr: {float: [1e-5, 1e-1], log: true, prior: 3e-4}
  depth: {int: [1, 8], prior: {center: 3, spread: 0.1}}
  optimizer: {choice: [sgd, adam, lamb], prior: {adam: 3}}
  strategy:
    switch: {full: {lr: {float: [0, 1], prior: 0.5}}, head: }
    prior: {full: 0.5}
"""


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(FILE)
    return load_space(str(path))


def test_a_file_says_where_good_values_are_believed_to_lie(space):
    leaves = space.leaves()
    assert leaves["lr"].prior == Prior(3e-4)
    assert leaves["depth"].prior == Prior(3, 0.1)
    assert leaves["optimizer"].weights == (1.0, 3.0, 1.0)
    assert leaves["strategy"].weights == (0.5, 1.0)
    assert leaves["strategy.full.lr"].prior == Prior(0.5)


def test_priors_survive_plain_data_json_and_pickle(space):
    import json

    again = space_from_dict(json.loads(json.dumps(space.to_dict())))
    assert again == space
    assert [leaf.prior for leaf in again.leaves().values()] == [
        leaf.prior for leaf in space.leaves().values()
    ]
    assert pickle.loads(pickle.dumps(space)) == space  # noqa: S301 - our own


def test_what_is_believed_is_not_what_may_be(space):
    plain = space_from_dict({
        "parameters": {
            "lr": {"float": [1e-5, 1e-1], "log": True},
            "depth": {"int": [1, 8]},
            "optimizer": {"choice": ["sgd", "adam", "lamb"]},
            "strategy": {"switch": {"full": {"lr": {"float": [0, 1]}}, "head": None}},
        }
    })  # fmt: skip
    assert plain.digest() == space.digest()
    assert plain.baseline() == space.baseline()


@pytest.mark.parametrize(
    ("make", "law"),
    [
        (lambda: Float(0, 1, prior=Prior(2.0)), "`low <= center of prior <= high` must hold, but got 2.0"),
        (lambda: Prior(0.5, 0.0), r"`spread` must be in \(0, 1\], but got 0.0"),
        (lambda: Prior(float("nan")), "`center` must be a finite number"),
        (lambda: Float(0, 1, prior=0.5), "`prior` must be a Prior, but got 0.5"),
        (lambda: Choice(("a", "b"), prior={"c": 1}), "`prior` must weigh one of a, b, but got 'c'"),
        (lambda: Choice(("a", "b"), prior={"a": 0}), "a weight of `prior` must be in"),
        (lambda: Choice(("a", "b"), prior={}), "`prior` must be a mapping of options to weights"),
        (lambda: Switch({"a": SearchSpace({})}, prior={"b": 1}), "`prior` must weigh one of a, but got 'b'"),
    ],
)
def test_a_prior_keeps_its_laws(make, law):
    with pytest.raises(InvalidSpace, match=law):
        make()


@pytest.mark.parametrize(
    ("line", "law"),
    [
        (
            "x: {float: [0, 1], prior: {centre: 0.5}}",
            "line 3: x: a prior has no 'centre'; did you mean 'center'",
        ),
        ("x: {float: [0, 1], prior: {spread: 0.5}}", "line 3: x: a prior must have a `center`"),
        ("x: {float: [0, 1], prior: 7}", "line 3: x: `low <= center of prior <= high` must hold"),
        ("x: {int: [0, 1], prior: [0, 1]}", "line 3: x: `prior` must be a finite number"),
        ("x: {choice: [a, b], prior: a}", "line 3: x: `prior` must be a mapping of options to weights"),
    ],
)
def test_a_files_mistake_is_named_with_its_line(tmp_path, line, law):
    path = tmp_path / "space.yaml"
    path.write_text(f"\nparameters:\n  {line}\n")
    with pytest.raises(InvalidSpace) as raised:
        load_space(str(path))
    assert law in str(raised.value)


def test_narrowing_keeps_priors_inside_and_can_set_them(space):
    changed = space.narrow({
        "lr": {"low": 1e-3, "high": 1e-2}, "optimizer": ["sgd", "lamb"], "strategy": ["full"],
        "depth": {"prior": {"center": 5}},
    }).leaves()  # fmt: skip
    assert changed["lr"].prior == Prior(1e-3)
    assert changed["optimizer"].prior is None
    assert changed["strategy"].prior == {"full": 0.5}
    assert changed["depth"].prior == Prior(5)
    assert space.narrow({"depth": 4}).leaves()["depth"].prior is None
    assert space.narrow({"optimizer": {"prior": {"sgd": 2}}}).leaves()["optimizer"].weights == (2, 1, 1)


@given(low=st.floats(-10, 0), high=st.floats(1, 10), center=st.floats(0, 1), spread=st.floats(0.01, 1))
def test_any_prior_within_the_range_is_written_and_read_alike(low, high, center, spread):
    leaf = Float(low, high, prior=Prior(center, spread))
    assert space_from_dict(SearchSpace({"x": leaf}).to_dict()).leaves()["x"] == leaf
