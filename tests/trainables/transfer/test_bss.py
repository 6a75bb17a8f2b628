import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainables.transfer.parts import hard, images, made, study
from trainables.transfer.bss import smallest
from trainables.transfer.features import classifier_of, with_features


@given(
    images_=st.integers(2, 9), features=st.integers(1, 9), count=st.integers(1, 12), seed=st.integers(0, 99)
)
@settings(max_examples=40, deadline=None)
def test_bss_is_the_small_end_of_the_spectrum_of_the_gram_matrix(images_, features, count, seed):
    matrix = torch.randn(
        images_, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    gram = matrix.T @ matrix if features <= images_ else matrix @ matrix.T
    wanted = torch.linalg.eigvalsh(gram)[:count].sum()  # ascending
    torch.testing.assert_close(smallest(matrix, count), wanted)


def test_the_gradient_of_bss_is_that_of_finite_differences():
    matrix = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m: smallest(m, 2), matrix)


@pytest.mark.parametrize(
    "matrix",
    [torch.eye(4), torch.zeros(4, 3), torch.ones(5, 3), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])],
)
def test_the_gradient_of_bss_is_defined_where_singular_values_are_equal_or_zero(matrix):
    matrix = matrix.clone().requires_grad_(True)
    smallest(matrix, 1).backward()
    assert torch.isfinite(matrix.grad).all()
    assert float(matrix.grad.norm()) == pytest.approx(
        2 * float(smallest(matrix.detach(), 1)) ** 0.5, abs=1e-5
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_of_a_diverged_training_give_a_loss_that_says_so(bad):
    matrix = torch.ones(4, 3)
    matrix[1, 1] = bad
    matrix.requires_grad_(True)
    loss = smallest(matrix, 1)
    loss.backward()
    assert not torch.isfinite(loss)


def test_bss_shrinks_what_the_classifier_sees(architecture):
    for count in (1, 3):
        model, source = study(architecture)
        bound = made("bss", strength=2.0, count=count).bind(model, source)
        _, features = with_features(model, model, images(6))
        logits, extra = bound.forward(model, model, images(6), hard(6))
        values = torch.linalg.svdvals(features.detach())
        assert float(extra.detach()) == pytest.approx(
            2 * float((values[-count:] ** 2).sum()), rel=1e-3, abs=1e-5
        )
        assert torch.equal(logits, classifier_of(model)(features))
