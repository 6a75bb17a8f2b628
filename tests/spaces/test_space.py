import json
import pickle
from dataclasses import replace

import cloudpickle
import pytest
from arbitrary_spaces import spaces
from hypothesis import example, given
from hypothesis import strategies as st

from spaces import (
    Choice,
    Float,
    Int,
    InvalidParams,
    InvalidSpace,
    SearchSpace,
    Switch,
    random_suggest,
    space_from_dict,
)
from spaces.document import read_document, write_document

SEEDS = st.integers(0, 10**6)

NESTED = SearchSpace(
    {
        "size": Int(1, 8, default=2),
        "kind": Switch(
            {
                "plain": SearchSpace({}),
                "deep": SearchSpace(
                    {
                        "rate": Float(0, 1, default=0.5),
                        "how": Switch(
                            {"a": SearchSpace({"x": Int(1, 3)}), "b": SearchSpace({"y": Choice(("p", "q"))})},
                            default="b",
                        ),
                    }
                ),
            }
        ),
    }
)


@given(spaces(), SEEDS)
def test_what_is_drawn_is_a_recipe(space, seed):
    params = space.draw(random_suggest(seed))
    space.check(params)
    assert set(params) <= set(space.leaves())


@given(spaces(), SEEDS, st.data())
def test_a_recipe_with_a_parameter_less_more_or_broken_is_none(space, seed, data):
    params = space.draw(random_suggest(seed))
    name = data.draw(st.sampled_from(sorted(params)))
    less = {key: value for key, value in params.items() if key != name}
    for broken in (less, {**params, "no.such": 1}, {**params, name: float("nan")}, {**params, name: None}):
        with pytest.raises(InvalidParams):
            space.check(broken)
    for strange in set(space.leaves()) - set(params):
        with pytest.raises(InvalidParams, match="must not be given where"):
            space.check({**params, strange: space.leaves()[strange].baseline()})


@given(spaces(), SEEDS)
def test_baseline_and_neighbours_are_recipes_that_differ_in_one_parameter(space, seed):
    space.check(space.baseline())
    params = space.draw(random_suggest(seed))
    switches = {name for name in params if any(other.startswith(f"{name}.") for other in space.leaves())}
    for name, neighbour in space.neighbours(params):
        space.check(neighbour)
        assert neighbour[name] != params[name]
        shared = set(neighbour) & set(params) - {name}
        assert all(neighbour[other] == params[other] for other in shared)
        strange = set(neighbour) ^ set(params)
        assert all(other.startswith(f"{name}.") for other in strange)
        assert not strange or name in switches


def test_a_switch_brings_its_branch_and_that_branch_s_baseline():
    assert NESTED.baseline() == {"size": 2, "kind": "plain"}
    deep = {"size": 2, "kind": "deep", "kind.deep.rate": 0.5, "kind.deep.how": "b", "kind.deep.how.b.y": "p"}
    assert [params for name, params in NESTED.neighbours(NESTED.baseline()) if name == "kind"] == [deep]
    moved = dict(NESTED.neighbours(deep))
    assert moved["kind"] == {"size": 2, "kind": "plain"}
    assert moved["kind.deep.how"] == {**{k: v for k, v in deep.items() if "how" not in k}} | {
        "kind.deep.how": "a",
        "kind.deep.how.a.x": 2,
    }


def test_leaves_are_every_branch_s_in_order():
    assert list(NESTED.leaves()) == [
        "size",
        "kind",
        "kind.deep.rate",
        "kind.deep.how",
        "kind.deep.how.a.x",
        "kind.deep.how.b.y",
    ]
    assert NESTED.leaves()["kind"] == Choice(("plain", "deep"))


def test_a_sampler_is_asked_once_a_name_and_a_switch_before_its_branch():
    asked = []

    def suggest(name, domain):
        asked.append(name)
        return {"kind": "deep"}.get(name, domain.baseline())

    assert list(NESTED.draw(suggest)) == asked
    assert asked == ["size", "kind", "kind.deep.rate", "kind.deep.how", "kind.deep.how.b.y"]


def test_an_answer_outside_the_domain_goes_no_further():
    with pytest.raises(InvalidParams, match=r"`size` must be a whole number in \[1, 8\], but got 9"):
        NESTED.draw(lambda name, domain: 9)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"sise": 1}, "there is no parameter 'sise'; did you mean 'size'?"),
        ({3: 1}, "there is no parameter 3; known: size, kind"),
        ({"size": 1}, "kind must be given, but is missing"),
        ({"size": 0, "kind": "plain"}, "`size` must be a whole number in [1, 8], but got 0"),
        (
            {"size": 1, "kind": "deap"},
            "`kind` must be one of plain, deep, but got 'deap'; did you mean 'deep'?",
        ),
        (
            {"size": 1, "kind": "plain", "kind.deep.how.a.x": 1},
            "`kind.deep.how.a.x` must not be given where kind is 'plain'",
        ),
        (
            {"size": 1, "kind": "deep", "kind.deep.rate": 0, "kind.deep.how": "a", "kind.deep.how.a.x": 1}
            | {"kind.deep.how.b.y": "p"},
            "`kind.deep.how.b.y` must not be given where kind.deep.how is 'a'",
        ),
        ([1], "parameters must be a mapping of names to values, but got [1]"),
    ],
)
def test_params_that_are_none_are_told_why(params, words):
    with pytest.raises(InvalidParams) as error:
        NESTED.check(params)
    assert words in str(error.value)


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "A", "1a", "a b", "a\n", "é", 3, None])
def test_names_are_identifiers(name):
    with pytest.raises(InvalidSpace, match="a name must match"):
        SearchSpace({name: Int(1, 2)})


def test_parameters_are_domains():
    with pytest.raises(InvalidSpace, match=r"x must be a Float, Int, Choice or Switch, but got \(1, 2\)"):
        SearchSpace({"x": (1, 2)})
    with pytest.raises(InvalidSpace, match="`parameters` must be a mapping"):
        SearchSpace([("x", Int(1, 2))])


@given(spaces())
@example(SearchSpace({"x": Choice(("0E0", "yes", "null", ""))}))
def test_a_space_goes_through_json_yaml_and_pickle_unchanged(space):
    space = replace(space, name="mine", description="what: it is")
    plain = space.to_dict()
    copies = [
        space_from_dict(json.loads(json.dumps(plain))),
        space_from_dict(read_document(write_document(plain)).data),
        pickle.loads(pickle.dumps(space)),  # noqa: S301 - our own bytes
        cloudpickle.loads(cloudpickle.dumps(space)),
    ]
    for copy in copies:
        assert copy == space
        assert hash(copy) == hash(space)
        assert (copy.name, copy.description, copy.digest()) == ("mine", "what: it is", space.digest())
        assert list(copy.leaves()) == list(space.leaves())


def test_the_digest_is_of_what_the_parameters_may_be():
    space = SearchSpace({"a": Float(0, 1), "b": Choice(("x", "y")), "c": Int(1, 8)}, "n", "d")
    same = [
        SearchSpace({"c": Int(1, 8), "b": Choice(("x", "y")), "a": Float(0.0, 1.0)}, "other", "words"),
        SearchSpace({"a": Float(0, 1, default=0.2), "b": Choice(("x", "y"), "y"), "c": Int(1, 8, default=3)}),
    ]
    other = [
        space.narrow({"a": [0, 0.5]}),
        space.narrow({"b": ["x"]}),
        SearchSpace({**space.parameters, "a": Int(0, 1)}),
        SearchSpace({**space.parameters, "b": Choice(("y", "x"))}),
        SearchSpace({**space.parameters, "c": Int(1, 8, log=True)}),
        SearchSpace({**space.parameters, "d": Int(1, 8)}),
        SearchSpace({"e": space.parameters["a"], "b": Choice(("x", "y")), "c": Int(1, 8)}),
    ]
    assert {candidate.digest() for candidate in same} == {space.digest()}
    assert len({candidate.digest() for candidate in [space, *other]}) == 1 + len(other)
    assert space.digest() == "4b490644b9aaf99a"  # the same in every process and version: ledgers hold it


def test_a_space_cannot_be_changed():
    parameters = {"a": Int(1, 2)}
    space = SearchSpace(parameters)
    parameters["b"] = Int(1, 2)
    assert list(space.parameters) == ["a"]
    with pytest.raises(AttributeError):
        space.name = "x"
    with pytest.raises(TypeError):
        space.parameters["b"] = Int(1, 2)
