"""Importance: planted effects are named and no others, whoever searched and however much was pruned."""

from __future__ import annotations

import numpy as np
import pytest

from search.insight.effects import effects_of, interactions_of
from search.insight.surface import Surface
from tests.search.insight.planted import EPOCHS, PLANTED, SPACE, planted, truth

NOTHING = {
    "weight_decay", "batch_size", "dropout", "smoothing", "schedule", "strategy.head.width", "strategy.decay.ratio",
}  # fmt: skip


@pytest.fixture(scope="module")
def studies():
    """Twenty searches of forty random recipes, each trained to its end."""
    return [planted(seed, trials=40, scheduler="none") for seed in range(20)]


def test_planted_effects_are_named_and_no_others_over_twenty_seeds(studies):
    for history in studies:
        assert {effect.name for effect in effects_of(history, Surface(history)) if effect.told} == PLANTED


def test_they_are_named_where_most_trials_were_stopped_early_too():
    """Less is sure there: the law is that one study in fifty names anything that does not matter."""
    wrong = 0
    for seed in range(6):
        history = planted(seed, trials=100)
        told = {effect.name for effect in effects_of(history, Surface(history)) if effect.told}
        assert told >= PLANTED
        wrong += told != PLANTED
    assert wrong <= 1


def test_the_default_search_names_them_too():
    """It comes back to what was good, so that its trials are no fair sample of the space."""
    for seed in range(3):
        history = planted(seed, trials=60, searcher="default", scheduler="default")
        told = {effect.name for effect in effects_of(history, Surface(history)) if effect.told}
        assert told == PLANTED


def test_where_nothing_matters_nothing_is_named():
    for seed in range(6):
        history = planted(seed, trials=60, score=lambda params: 0.8, haste=0.0)
        assert not [effect.name for effect in effects_of(history, Surface(history)) if effect.told]


def test_what_is_said_of_an_effect(studies):
    effects = {effect.name: effect for effect in effects_of(studies[0], Surface(studies[0]))}
    rate = effects["strategy.*.lr"]
    assert rate.trials == 40
    assert 1e-3 < rate.best < 3e-2
    assert rate.worst == min(rate.marginal.values)
    assert rate.branches == {}
    assert effects["strategy.head.width"].branches == {"strategy": ["head"]}
    assert effects["strategy"].best in {"decay", "full"}
    assert effects["strategy"].worst == "head"
    # By the truth: the mean over the grid of the largest less the smallest.
    values = np.log10(rate.marginal.values)
    curve = -0.05 * (values + 2.2) ** 2
    assert rate.gain == pytest.approx(np.ptp(curve), abs=2 * rate.margin)
    assert effects["augment"].best > 0.4
    assert effects["augment"].worst < 0.1
    assert rate.share + effects["augment"].share + effects["strategy"].share > 0.8
    assert sum(effect.density for effect in effects.values()) == pytest.approx(1.0)


def test_shares_agree_with_the_exact_decomposition():
    """The truth is a sum of one-parameter terms: their variances over random recipes are the shares."""
    rng = np.random.default_rng(0)
    rates, augments = rng.uniform(-4, -1, 10**5), rng.uniform(0, 1, 10**5)
    strategies = np.array([0.0, 0.02, -0.1])
    exact = {
        "strategy.*.lr": np.var(0.05 * (rates + 2.2) ** 2),
        "augment": np.var(0.4 * (augments - 0.7) ** 2),
        "strategy": np.var(strategies),
    }
    whole = sum(exact.values())
    history = planted(3, trials=150, scheduler="none", noise=0.002)
    effects = {effect.name: effect for effect in effects_of(history, Surface(history))}
    for name, variance in exact.items():
        assert effects[name].share == pytest.approx(variance / whole, abs=0.08)
    for name in NOTHING:
        assert effects[name].share < 0.02


def test_pairs_that_only_count_together_are_found_and_others_not():
    def together(params):
        return (
            0.8
            + 0.15 * (params["augment"] - 0.5) * (params["dropout"] - 0.25) / 0.25
            - 0.06 * abs(params["augment"] - 0.5)
            - 0.2 * params["dropout"]
        )

    history = planted(1, trials=150, scheduler="none", noise=0.002, score=together)
    surface = Surface(history)
    pairs = interactions_of(effects_of(history, surface), surface)
    assert set(pairs[0].names) == {"augment", "dropout"}
    assert pairs[0].share > 0.1
    assert pairs[0].means.shape == tuple(map(len, pairs[0].values))
    additive = planted(1, trials=150, scheduler="none", noise=0.002)
    surface = Surface(additive)
    assert all(pair.share < 0.05 for pair in interactions_of(effects_of(additive, surface), surface))


def test_too_little_is_refused():
    with pytest.raises(ValueError, match="there must be 8 scores that differ"):
        Surface(planted(0, trials=1, scheduler="none", searcher="random").__class__(SPACE, EPOCHS))
    assert truth({"strategy": "full", "strategy.full.lr": 10**-2.2, "augment": 0.7}) == pytest.approx(0.85)
