import pytest
import torch

from trainables.soundness.outcomes import evened, outcomes


def test_outcomes_of_known_logits():
    found = outcomes(torch.tensor([[0.0, 0.0, 0.0], [2.0, 5.0, 1.0]]), torch.tensor([1, 1]))
    assert found.guesses.tolist() == [0, 1]
    assert found.right.tolist() == [False, True]
    assert found.confidence.dtype == torch.float64
    assert float(found.confidence[0]) == pytest.approx(1 / 3)


def test_confidence_is_told_apart_where_float32_would_be_1():
    logits = torch.tensor([[20.0, 0.0], [21.0, 0.0]])
    assert logits.softmax(1)[:, 0].tolist() == [1.0, 1.0]
    first, second = outcomes(logits, torch.tensor([0, 0])).confidence.tolist()
    assert first < second < 1


@pytest.mark.parametrize(
    ("logits", "labels", "law"),
    [
        (
            torch.zeros(2, 3),
            torch.tensor([0]),
            r"logits must be \[N, C\] and labels \[N\].*\[2, 3\] and \[1\]",
        ),
        (torch.zeros(3), torch.tensor([0, 1, 2]), r"logits must be \[N, C\]"),
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), "above 0"),
        (torch.tensor([[0.0, torch.nan], [0.0, 1.0]]), torch.tensor([0, 1]), "finite.*1 of 2 rows"),
        (torch.tensor([[0.0, torch.inf]]), torch.tensor([0]), "finite"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), r"labels must be in \[0, 3\).*from 0 to 3"),
        (torch.zeros(2, 3), torch.tensor([-1, 2]), r"labels must be in \[0, 3\).*from -1 to 2"),
    ],
)
def test_what_cannot_be_judged_is_refused(logits, labels, law):
    with pytest.raises(ValueError, match=law):
        outcomes(logits, labels)


def test_values_of_one_confidence_share_their_mean():
    confidence = torch.tensor([0.9, 0.5, 0.9, 0.7], dtype=torch.float64)
    assert evened(torch.tensor([1, 0, 0, 1]), confidence).tolist() == [0.5, 0.0, 0.5, 1.0]
