import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.soundness.mistakes import mistakes, nearest


def test_the_surest_mistakes_come_first():
    probabilities = torch.tensor(
        [
            [0.2, 0.7, 0.1],  # wrong, 0.7 sure
            [0.8, 0.1, 0.1],  # right
            [0.05, 0.9, 0.05],  # wrong, 0.9 sure
            [0.1, 0.2, 0.7],  # wrong, 0.7 sure, less of the truth than row 0
        ],
        dtype=torch.float64,
    )
    found = mistakes(probabilities.log(), torch.tensor([0, 0, 2, 0]), most=9)
    assert [one.index for one in found] == [2, 3, 0]
    assert (found[0].true, found[0].guessed) == (2, 1)
    assert found[0].confidence == pytest.approx(0.9)
    assert found[1].probability == pytest.approx(0.1)
    assert mistakes(probabilities.log(), torch.tensor([0, 0, 2, 0]), most=1) == found[:1]


def test_of_equally_sure_mistakes_those_that_leave_the_truth_least_come_first():
    logits = torch.tensor([[10.0, 100.0, 0.0], [5.0, 100.0, 0.0], [1.0, 0.0, 0.0]])
    found = mistakes(logits, torch.tensor([0, 0, 0]), most=2)
    assert found[0].confidence == found[1].confidence == 1
    assert [one.index for one in found] == [1, 0]
    assert found[0].probability < found[1].probability


def test_equal_mistakes_are_in_the_order_of_their_rows():
    logits = torch.tensor([[1.0, 0.0]]).repeat(40, 1)
    found = mistakes(logits, torch.ones(40, dtype=torch.int64), most=5)
    assert [one.index for one in found] == [0, 1, 2, 3, 4]


def test_a_network_without_mistakes_has_none():
    assert mistakes(torch.eye(3), torch.arange(3), most=3) == ()
    with pytest.raises(ValueError, match="most must be at least 0, but got -1"):
        mistakes(torch.eye(3), torch.arange(3), most=-1)


@given(seed=st.integers(0, 100), queries=st.integers(0, 70), known=st.integers(1, 40), whole=st.booleans())
@settings(max_examples=40)
def test_neighbours_are_those_of_a_full_comparison(seed, queries, known, whole):
    generator = torch.Generator().manual_seed(seed)
    if whole:  # few values, so that many are equally alike
        ours, theirs = (torch.randint(-1, 2, (n, 3), generator=generator).float() for n in (queries, known))
    else:
        ours, theirs = (torch.randn(n, 8, generator=generator) for n in (queries, known))
    k = min(known, 5)
    found = nearest(ours, theirs, k)
    assert found.rows.shape == found.similarity.shape == (queries, k)
    for place, query in enumerate(ours.double()):
        lengths = query.norm() * theirs.double().norm(dim=1)
        alike = torch.where(lengths > 0, theirs.double() @ query / lengths.clamp(min=1e-12), 0.0)
        expected = sorted(range(known), key=lambda row: (-round(float(alike[row]), 6), row))[:k]
        assert found.rows[place].tolist() == expected
        assert found.similarity[place].tolist() == pytest.approx(alike[expected].tolist(), abs=1e-6)


def test_copies_are_equally_alike_however_far_apart_they_lie():
    features = torch.randn(9000, 257, generator=torch.Generator().manual_seed(0))
    features[[17, 4096, 8999]] = features[5] * torch.tensor([[1.0], [2.0], [0.5]])
    found = nearest(features[[5]], features, 4)
    assert found.rows.tolist() == [[5, 17, 4096, 8999]]
    assert found.similarity.tolist() == [[1.0] * 4]


@pytest.mark.parametrize(
    ("queries", "known", "k", "law"),
    [
        (torch.zeros(2, 3), torch.zeros(4, 5), 1, r"\[Q, D\] and \[N, D\] of one D.*\[2, 3\] and \[4, 5\]"),
        (torch.zeros(3), torch.zeros(4, 3), 1, "of one D"),
        (torch.zeros(2, 3), torch.zeros(4, 3), 5, r"k must be in \[1, 4\].*but got 5"),
        (torch.zeros(2, 3), torch.zeros(4, 3), 0, r"k must be in \[1, 4\].*but got 0"),
        (torch.zeros(2, 3), torch.full((4, 3), torch.nan), 1, "finite"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(queries, known, k, law):
    with pytest.raises(ValueError, match=law):
        nearest(queries, known, k)
