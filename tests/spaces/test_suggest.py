import random

import pytest
from arbitrary_spaces import spaces
from hypothesis import given
from hypothesis import strategies as st

from spaces import Choice, Float, Int, InvalidParams, SearchSpace, fixed_suggest, random_suggest


def drawn(domain, n=4000):
    suggest = random_suggest(0)
    return [suggest("x", domain) for _ in range(n)]


@given(spaces(), st.integers(0, 10**6))
def test_a_seed_makes_the_draw(space, seed):
    assert space.draw(random_suggest(seed)) == space.draw(random_suggest(random.Random(seed)))


# 4000 draws: the standard error of a share p is at most 0.008, five of them 0.04.
@pytest.mark.parametrize(
    "domain", [Int(1, 4), Int(10, 40, step=10), Float(0, 0.3, step=0.1), Choice(("a", "b", "c", 1))]
)
def test_every_value_is_equally_likely_and_both_ends_come_up(domain):
    values = drawn(domain)
    assert len(set(values)) == 4
    for value in set(values):
        assert values.count(value) / len(values) == pytest.approx(0.25, abs=0.04)


def test_real_numbers_are_uniform_on_their_scale():
    for domain, quarter in ((Float(2, 6), 3), (Float(1e-5, 1e-1, log=True), 1e-4)):
        values = drawn(domain)
        assert sum(value < quarter for value in values) / len(values) == pytest.approx(0.25, abs=0.04)
        assert min(values) >= domain.low
        assert max(values) <= domain.high


def test_whole_numbers_on_a_log_scale_own_half_a_unit_to_either_side():
    values = drawn(Int(1, 8, log=True))
    assert set(values) == set(range(1, 9))
    # log(1.5 / 0.5) / log(8.5 / 0.5)
    assert values.count(1) / len(values) == pytest.approx(0.388, abs=0.04)
    assert values.count(8) / len(values) == pytest.approx(0.044, abs=0.02)


def test_a_fixed_answer_is_checked():
    space = SearchSpace({"lr": Float(1, 2)})
    assert space.draw(fixed_suggest({"lr": 1.5, "other": 3})) == {"lr": 1.5}
    with pytest.raises(InvalidParams, match="lr must be given, but is missing"):
        space.draw(fixed_suggest({}))
    with pytest.raises(InvalidParams, match=r"`lr` must be a number in \[1.0, 2.0\], but got 3"):
        space.draw(fixed_suggest({"lr": 3}))
