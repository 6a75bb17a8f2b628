import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces import InvalidParams
from trainables.parts import PartConfig


def patience(**options):
    return PartConfig("stopping", "patience", options).make()


@given(st.lists(st.floats(0, 1), max_size=30))
def test_never_is_never(scores):
    assert PartConfig("stopping", "never").make().ended(scores) == ""


def test_it_ends_after_so_many_epochs_without_an_improvement():
    rule = patience(epochs=3, improvement=0.01)
    assert rule.ended([]) == ""
    assert rule.ended([0.5, 0.505, 0.509]) == ""
    assert rule.ended([0.5, 0.505, 0.509, 0.51]) == "no improvement by 0.01 in 3 epochs"
    assert rule.ended([0.5, 0.505, 0.509, 0.52]) == ""
    assert rule.ended([0.9, 0.1, 0.2]) == ""
    assert rule.ended([0.9, 0.1, 0.2, 0.3])


@given(scores=st.lists(st.floats(0, 1), max_size=30), epochs=st.integers(1, 6))
def test_once_it_has_ended_it_stays_ended(scores, epochs):
    rule = patience(epochs=epochs, improvement=0.0)
    first = next((n for n in range(len(scores) + 1) if rule.ended(scores[:n])), None)
    if first is not None:
        assert first > epochs
        assert rule.ended(scores)
        best = max(range(first), key=lambda at: (scores[at], -at))
        assert first - 1 - best >= epochs


@pytest.mark.parametrize("options", [{"epochs": 0}, {"improvement": -0.1}, {"patience": 3}])
def test_laws(options):
    with pytest.raises(InvalidParams, match=r"stopping"):
        patience(**options)
