"""What is read out of a hypothesis, and what is not."""

from __future__ import annotations

import pytest

from search.hypotheses.claim import Claim, Relation, claim_in

VALUES = {
    "batch_size": [8, 16, 32],
    "dropout": [0.05, 0.15, 0.25],
    "augmentation_strength": [0.1, 0.5, 0.9],
    "strategy": ["full", "layer_decay", "feature_extraction"],
    "strategy.*.lr": [1e-4, 1e-3, 1e-2],
    "strategy.layer_decay.ratio": [0.1, 0.5],
    "nesterov": [True, False],
}


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        (
            "stronger augmentation helps below 50 images a class",
            ("augmentation_strength", Relation.MORE, None),
        ),
        ("Weaker augmentation is better", ("augmentation_strength", Relation.LESS, None)),
        ("more dropout hurts", ("dropout", Relation.LESS, None)),
        ("less dropout hurts", ("dropout", Relation.MORE, None)),
        ("dropout helps", ("dropout", Relation.MORE, None)),
        ("a higher learning rate wins", ("strategy.*.lr", Relation.MORE, None)),
        ("small data: larger batches are worse", ("batch_size", Relation.LESS, None)),
        ("dropout > 0.2", ("dropout", Relation.ABOVE, 0.2)),
        ("with dropout above 0.1 it generalises", ("dropout", Relation.ABOVE, 0.1)),
        ("lr < 3e-3 is best", ("strategy.*.lr", Relation.BELOW, 3e-3)),
        ("strategy.layer_decay.ratio >= 0.3", ("strategy.layer_decay.ratio", Relation.ABOVE, 0.3)),
        ("strategy = layer_decay", ("strategy", Relation.IS, "layer_decay")),
        ("layer decay beats the other strategies", ("strategy", Relation.IS, "layer_decay")),
        ("nesterov = true", ("nesterov", Relation.IS, True)),
    ],
)
def test_what_is_understood(text, claim):
    assert claim_in(text, VALUES) == Claim(*claim)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "we shall see",
        "augmentation and dropout help",  # which of them?
        "dropout helps and augmentation hurts",
        "momentum > 0.9",  # not of this space
        "dropout > a lot",
        "strategy = gradual",
        "layer decay beats feature extraction",  # two options
        "larger networks are better",
        "; DROP TABLE trials > 3",
    ],
)
def test_what_is_not_understood_is_not_judged(text):
    assert claim_in(text, VALUES) is None


def test_a_claim_in_words():
    assert str(Claim("dropout", Relation.MORE)) == "more dropout is better"
    assert str(Claim("dropout", Relation.ABOVE, 0.2)) == "dropout above 0.2 is better"
    assert str(Claim("strategy", Relation.IS, "full")) == "strategy is full is better"
