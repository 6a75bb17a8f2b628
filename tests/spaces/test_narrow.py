import pytest
from arbitrary_spaces import spaces
from hypothesis import given
from hypothesis import strategies as st

from spaces import Choice, Float, Int, InvalidSpace, SearchSpace, Switch, load_space, random_suggest

SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1e-2, log=True, default=1e-3),
        "keep": Float(0, 1, step=0.1, default=0.4),
        "layers": Int(2, 10, step=2, default=8),
        "batch": Int(32, 256, log=True, default=64),
        "mixing": Choice(("none", "mixup", "cutmix"), default="mixup"),
        "flip": Choice((False, True), default=True),
        "kind": Switch({"a": SearchSpace({"x": Int(1, 9, default=9)}), "b": SearchSpace({})}, default="b"),
    },
    "mine",
    "words",
)


@pytest.mark.parametrize(
    ("name", "change", "domain"),
    [
        ("lr", 0.005, Float(0.005, 0.005, default=0.005)),
        ("lr", 0, Float(0, 0, default=0)),
        ("lr", [1e-3, 5e-3], Float(1e-3, 5e-3, log=True, default=1e-3)),
        ("lr", (2e-3, 1), Float(2e-3, 1, log=True, default=2e-3)),
        ("lr", {"high": 5e-4}, Float(1e-4, 5e-4, log=True, default=5e-4)),
        ("lr", {"low": 0, "log": False}, Float(0, 1e-2, default=1e-3)),
        ("lr", {"default": 2e-3}, Float(1e-4, 1e-2, log=True, default=2e-3)),
        ("lr", {"log": False, "low": 0, "high": 1, "step": 0.5}, Float(0, 1, step=0.5, default=0.0)),
        ("keep", [0.15, 0.35], Float(0.2, 0.3, step=0.1, default=0.3)),
        ("keep", {"high": 1.5, "default": 1.2}, Float(0, 1.5, step=0.1, default=1.2)),
        ("keep", {"step": None}, Float(0, 1, default=0.4)),
        ("keep", {"step": 0.25}, Float(0, 1, step=0.25, default=0.5)),
        ("layers", [1, 7], Int(2, 6, step=2, default=6)),
        ("layers", 6, Int(6, 6, default=6)),
        ("batch", {"low": 8, "high": 64, "default": 32}, Int(8, 64, log=True, default=32)),
        ("mixing", "cutmix", Choice(("cutmix",))),
        ("mixing", ["cutmix", "none"], Choice(("none", "cutmix"))),
        ("mixing", {"options": ["mixup", "cutmix"]}, Choice(("mixup", "cutmix"), default="mixup")),
        ("mixing", {"default": "none"}, Choice(("none", "mixup", "cutmix"), default="none")),
        ("flip", False, Choice((False,))),
        ("kind.a.x", [1, 4], Int(1, 4, default=4)),
        ("kind", "a", Choice(("a",))),
        ("kind", {"default": "a"}, Choice(("a", "b"), default="a")),
    ],
)
def test_a_change_gives_the_domain(name, change, domain):
    narrowed = SPACE.narrow({name: change})
    assert narrowed.leaves()[name] == domain
    assert {n: d for n, d in narrowed.leaves().items() if not n.startswith(name)} == {
        n: d for n, d in SPACE.leaves().items() if n in narrowed.leaves() and not n.startswith(name)
    }
    assert (narrowed.name, narrowed.description) == ("mine", "words")


def test_a_branch_that_is_left_out_takes_its_parameters_with_it():
    assert set(SPACE.leaves()) - set(SPACE.narrow({"kind": ["b"], "kind.a.x": 3}).leaves()) == {"kind.a.x"}
    assert SPACE.narrow({"kind": "a", "kind.a.x": 3}).baseline()["kind.a.x"] == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lrr": 1}, "there is no parameter 'lrr' to narrow; did you mean 'lr'?"),
        ({"kind.a": 1}, "there is no parameter 'kind.a' to narrow; did you mean 'kind.a.x'?"),
        ({7: 1}, "there is no parameter 7 to narrow; known: lr, keep"),
        ({"lr": [1, 0.1]}, "lr: `low <= high` must hold, but got low=1.0, high=0.1"),
        ({"lr": [0, 1]}, "lr: `low > 0` must hold where `log` is true, but got low=0.0"),
        (
            {"lr": [1, 2, 3]},
            "lr: a change must be a number, [low, high] or a mapping of fields, but got [1, 2, 3]",
        ),
        ({"lr": "1e-3"}, "but got '1e-3'"),
        ({"lr": None}, "but got None"),
        ({"lr": True}, "but got True"),
        ({"lr": float("nan")}, "but got nan"),
        ({"lr": {"lo": 1}}, "lr: a change has no 'lo'; did you mean 'low'?"),
        ({"lr": {"default": 1}}, "lr: `default` must be a number in [0.0001, 0.01], but got 1.0"),
        ({"lr": {"low": "x"}}, "lr: `low` must be a finite number, but got 'x'"),
        ({"keep": [0.31, 0.39]}, "keep: a value of the grid of step 0.1 must lie in the range"),
        ({"batch": 3.5}, "batch: `low` must be a whole number, but got 3.5"),
        (
            {"mixing": "mixap"},
            "mixing: an option must be one of none, mixup, cutmix, but got 'mixap'; did you mean",
        ),
        ({"mixing": []}, "mixing: `options` must be a list of at least one, but got []"),
        ({"mixing": {"options": "none"}}, "mixing: `options` must be a list of at least one, but got 'none'"),
        (
            {"mixing": {"options": ["none"], "default": "mixup"}},
            "`default` must be one of none, but got 'mixup'",
        ),
        ({"mixing": {"low": 1}}, "mixing: a change has no 'low'; known: options, default"),
        ({"flip": 1}, "flip: an option must be one of False, True, but got 1"),
        ({"kind": "c"}, "kind: an option must be one of a, b, but got 'c'"),
        ({"kind.a.x": [5, 1], "kind": "b"}, "kind.a.x: `low <= high` must hold, but got low=5, high=1"),
        ([1], "changes must be a mapping of parameter names, but got [1]"),
    ],
)
def test_a_change_that_breaks_a_law_names_parameter_law_and_value(changes, words):
    with pytest.raises(InvalidSpace) as error:
        SPACE.narrow(changes)
    assert words in str(error.value)


@given(spaces(), st.integers(0, 10**6))
def test_a_space_fixed_to_a_recipe_gives_that_recipe(space, seed):
    params = space.draw(random_suggest(seed))
    fixed = space.narrow(params)
    assert fixed.draw(random_suggest(seed + 1)) == params == fixed.baseline()
    assert list(fixed.neighbours(params)) == []


@given(spaces(), st.integers(0, 10**6), st.data())
def test_between_two_draws_lies_a_narrower_space_inside_the_wider(space, seed, data):
    numbers = {name: leaf for name, leaf in space.leaves().items() if isinstance(leaf, (Float, Int))}
    suggest = random_suggest(seed)
    changes = {name: sorted([suggest(name, leaf), suggest(name, leaf)]) for name, leaf in numbers.items()}
    narrowed = space.narrow(changes)
    params = narrowed.draw(suggest)
    space.check(params)
    for name in set(changes) & set(params):
        low, high = changes[name]
        assert low <= params[name] <= high
    assert space.narrow({}) == space


def test_the_study_of_digits_takes_smaller_batches_than_the_preset():
    space = load_space("finetune").narrow({"batch_size": {"low": 8, "high": 64, "default": 32}})
    assert space.leaves()["batch_size"] == Int(8, 64, log=True, default=32)
    assert space.digest() != load_space("finetune").digest()
