import pickle

import cloudpickle
import pytest
from arbitrary_spaces import floats, ints, leaves
from hypothesis import given
from hypothesis import strategies as st

from spaces import Choice, Float, Int, InvalidParams, InvalidSpace, SearchSpace, Switch, random_suggest

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Float(3, 1), "`low <= high` must hold, but got low=3.0, high=1.0"),
        (lambda: Float(0, 1, log=True), "`low > 0` must hold where `log` is true, but got low=0.0"),
        (lambda: Float(NAN, 1), "`low` must be a finite number, but got nan"),
        (lambda: Float(0, INF), "`high` must be a finite number, but got inf"),
        (lambda: Float(0, 10**400), "`high` must be a finite number"),
        (lambda: Float(-1e308, 1e308), "`high - low` must be finite"),
        (lambda: Float(False, 1), "`low` must be a finite number, but got False"),
        (lambda: Float("0", 1), "`low` must be a finite number, but got '0'"),
        (lambda: Float(None, 1), "`low` must be a finite number, but got None"),
        (lambda: Float(0, 1, default=2), r"`default` must be a number in \[0.0, 1.0\], but got 2.0"),
        (lambda: Float(0, 1, step=0), "`step > 0` must hold, but got step=0.0"),
        (lambda: Float(0, 1, step=0.3), "`step` must divide `high - low`"),
        (lambda: Float(0, 1, step=1e-9), r"`\(high - low\) / step <= 10\*\*6` must hold"),
        (lambda: Float(1, 2, log=True, step=0.5), "`step` must not be given where `log` is true"),
        (lambda: Float(0, 1, log=1), "`log` must be true or false, but got 1"),
        (lambda: Int(3, 1), "`low <= high` must hold, but got low=3, high=1"),
        (lambda: Int(0, 8, log=True), "`low > 0` must hold where `log` is true, but got low=0"),
        (lambda: Int(1.0, 8), "`low` must be a whole number, but got 1.0"),
        (lambda: Int(True, 8), "`low` must be a whole number, but got True"),
        (lambda: Int(0, 2**60), r"`-2\*\*53 <= high <= 2\*\*53` must hold"),
        (lambda: Int(0, 7, step=2), "`step` must divide `high - low`, but got low=0, high=7, step=2"),
        (lambda: Int(1, 7, log=True, step=2), "`step == 1` must hold where `log` is true"),
        (lambda: Int(0, 8, step=0), "`step >= 1` must hold, but got step=0"),
        (lambda: Int(0, 8, default=4.0), r"`default` must be a whole number"),
        (lambda: Int(0, 8, step=4, default=5), "on the grid of step 4, but got 5"),
        (lambda: Choice(()), "`options` must have at least one entry"),
        (lambda: Choice("abc"), "`options` must be a list, but got 'abc'"),
        (lambda: Choice((1, True)), "`options` must differ from each other"),
        (lambda: Choice((NAN,)), "`options` must be words, finite numbers, true or false, but got nan"),
        (lambda: Choice((None, "a")), "but got None"),
        (lambda: Choice(("a", ["b"])), "but got \\['b'\\]"),
        (lambda: Choice(("a", "b"), default="c"), "`default` must be one of a, b, but got 'c'"),
        (lambda: Switch({}), "`switch` must have at least one branch"),
        (lambda: Switch({"a": 1}), "branch 'a' must be a SearchSpace, but got 1"),
        (lambda: Switch({"a/b": SearchSpace({})}), "a name must match .*, but got 'a/b'"),
        (lambda: Switch({"a": SearchSpace({})}, "b"), "`default` must be one of a, but got 'b'"),
    ],
)
def test_a_broken_law_is_named_with_the_value(make, words):
    with pytest.raises(InvalidSpace, match=words):
        make()


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (Float(0, 1), [0, 1, 0.5, 0.0, 1.0], [-1e-9, 1.0000001, NAN, INF, "0.5", True, None, 10**400]),
        (Float(0, 1, step=0.1), [0, 0.3, 0.1 + 0.2, 1], [0.25, 0.30001]),
        (Int(1, 9), [1, 9], [0, 10, 3.5, 3.0, True, "3", None, NAN]),
        (Int(0, 8, step=4), [0, 4, 8], [2, 6]),
        (Choice((1, "a", 2.5)), [1, 1.0, "a", 2.5], [True, "b", 2, None]),
        (Choice((False, True)), [True, False], [0, 1]),
    ],
)
def test_bounds_are_inclusive_and_kinds_are_kept_apart(domain, inside, outside):
    for value in inside:
        assert domain.contains(value)
        domain.check("x", value)
    for value in outside:
        assert not domain.contains(value)
        with pytest.raises(InvalidParams, match=r"`x` must be .*, but got"):
            domain.check("x", value)


@pytest.mark.parametrize(
    ("domain", "middle"),
    [
        (Float(0, 1), 0.5),
        (Float(1e-4, 1e-2, log=True), pytest.approx(1e-3)),
        (Float(0, 1, default=0), 0.0),
        (Float(0, 0.4, step=0.1), 0.2),
        (Int(1, 9), 5),
        (Int(4, 64, log=True), 16),
        (Choice(("b", "a")), "b"),
        (Choice(("b", False), default=False), False),
    ],
)
def test_the_baseline_is_the_default_or_the_middle(domain, middle):
    assert domain.baseline() == middle
    assert type(domain.baseline()) is type(middle) or isinstance(domain, Float)


@pytest.mark.parametrize(
    ("domain", "value", "neighbours"),
    [
        (Float(1e-5, 1e-3, log=True), 1e-4, [3.33333e-05, 0.0003]),
        (Float(1e-5, 1e-3, log=True), 5e-4, [0.000166667, 1e-3]),
        (Float(1e-5, 1e-3, log=True), 1e-5, [3e-5]),
        (Float(0, 1), 0.3, [0.05, 0.55]),
        (Float(0, 1), 0.1, [0.0, 0.35]),
        (Float(0, 1, step=0.5), 0.5, [0.0, 1.0]),
        (Int(32, 256, log=True), 64, [32, 128]),
        (Int(1, 3, log=True), 1, [2]),
        (Int(0, 2), 1, [0, 2]),
        (Int(0, 100), 50, [25, 75]),
        (Choice(("a", "b", "c")), "b", ["a", "c"]),
        (Float(2, 2), 2, []),
        (Int(2, 2), 2, []),
        (Choice(("a",)), "a", []),
    ],
)
def test_neighbours_lie_a_fair_step_away(domain, value, neighbours):
    assert list(domain.neighbours(value)) == neighbours
    assert domain.is_fixed == (not neighbours)


@given(leaves(), st.integers(0, 10**6))
def test_draws_baseline_and_neighbours_are_contained(domain, seed):
    value = random_suggest(seed)("x", domain)
    domain.check("x", value)
    domain.check("x", domain.baseline())
    neighbours = list(domain.neighbours(value))
    assert bool(neighbours) != domain.is_fixed
    for neighbour in neighbours:
        domain.check("x", neighbour)
        assert neighbour != value


@given(floats() | ints(), st.floats(-1e12, 1e12))
def test_the_nearest_value_is_contained_and_nothing_is_nearer(domain, value):
    nearest = domain.nearest(value)
    assert domain.contains(nearest)
    for other in (domain.low, domain.high, domain.baseline()):
        assert abs(nearest - value) <= abs(other - value) * (1 + 1e-9) + 1e-9


@given(leaves())
def test_domains_are_values(domain):
    for copy in (pickle.loads(pickle.dumps(domain)), cloudpickle.loads(cloudpickle.dumps(domain))):  # noqa: S301
        assert copy == domain
        assert hash(copy) == hash(domain)


def test_what_a_domain_was_made_from_can_change_without_it():
    options, branches = ["a", "b"], {"a": SearchSpace({"x": Int(1, 2)})}
    choice, switch = Choice(options), Switch(branches)
    options.append("c")
    branches["b"] = SearchSpace({})
    assert choice.options == ("a", "b")
    assert list(switch.branches) == ["a"]
    with pytest.raises(TypeError):
        switch.branches["b"] = SearchSpace({})
    with pytest.raises(AttributeError):
        choice.default = "b"
