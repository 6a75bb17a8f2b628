"""A space's priors: drawn from, followed where they help, forgotten where they mislead."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from search.decisions.history import Status
from search.encoding import Encoding
from search.policies import make_parts
from search.simulation import simulate
from spaces import Float, Int, Prior, SearchSpace, Switch

EPOCHS = 27


def space(lr=None, kind=None):
    return SearchSpace({
        "lr": Float(1e-5, 1e-1, log=True, default=3e-5, prior=lr),
        "decay": Float(1e-6, 1e-2, log=True),
        "kind": Switch({
            "a": SearchSpace({"x": Float(0, 1), "depth": Int(1, 9)}),
            "b": SearchSpace({"x": Float(0, 1)}), "c": SearchSpace({}),
        }, prior=kind),
    })  # fmt: skip


def curve(params):
    """Narrow in the rate: one in ten recipes is any good."""
    away = abs(np.log10(params["lr"]) + 2) + 0.3 * abs(np.log10(params["decay"]) + 4)
    final = 0.95 * np.exp(-0.8 * away) - {"a": 0.0, "b": 0.03, "c": 0.1}[params["kind"]]
    final -= 0.1 * (params.get("kind.a.x", params.get("kind.b.x", 0.5)) - 0.7) ** 2
    return final * (1 - 0.85 ** np.arange(1, EPOCHS + 1)), np.ones(EPOCHS)


HELPFUL = space(Prior(1e-2, 0.1), {"a": 3})
MISLEADING = space(Prior(2e-5, 0.1), {"c": 5})


def best(searched, trainings, seed):
    return simulate(searched, curve, EPOCHS, trainings * EPOCHS, seed=seed).best_at(trainings * EPOCHS)


def test_numbers_are_drawn_from_a_normal_cut_at_the_ends_and_choices_by_weight():
    encoding = Encoding(space(Prior(1e-2, 0.2), {"a": 6}))
    points = encoding.draw_believed(np.random.default_rng(0), 4000)
    recipes = [encoding.decode(point) for point in points]
    rates = np.log10([params["lr"] for params in recipes])
    normal = stats.truncnorm(-3 / 0.8, 1 / 0.8, loc=-2, scale=0.8)
    assert stats.kstest(rates, normal.cdf).pvalue > 0.01
    assert np.mean([params["kind"] == "a" for params in recipes]) == pytest.approx(6 / 8, abs=0.03)
    decays = np.log10([params["decay"] for params in recipes])
    assert stats.kstest(decays, stats.uniform(-6, 4).cdf).pvalue > 0.01  # nothing is believed of it


def test_belief_is_the_logarithm_of_the_prior_over_the_uniform_density():
    encoding = Encoding(HELPFUL)
    points = encoding.draw(np.random.default_rng(1), 500)
    expected = []
    for point in points:
        params = encoding.decode(point)
        place = (np.log10(params["lr"]) + 5) / 4
        weight = {"a": 3}.get(params["kind"], 1) / (5 / 3)
        expected.append(stats.truncnorm(-0.75 / 0.1, 0.25 / 0.1, 0.75, 0.1).logpdf(place) + np.log(weight))
    assert np.allclose(encoding.belief(points), expected, atol=1e-6)


def test_siblings_that_share_a_column_keep_their_own_priors():
    shared = SearchSpace({
        "kind": Switch({
            "a": SearchSpace({"x": Float(0, 1, prior=Prior(0.1, 0.05))}),
            "b": SearchSpace({"x": Float(0, 2, prior=Prior(1.8, 0.05))}),
        }),
    })  # fmt: skip
    encoding = Encoding(shared)
    recipes = [encoding.decode(point) for point in encoding.draw_believed(np.random.default_rng(0), 400)]
    assert np.mean([p["kind.a.x"] for p in recipes if p["kind"] == "a"]) == pytest.approx(0.1, abs=0.03)
    assert np.mean([p["kind.b.x"] for p in recipes if p["kind"] == "b"]) == pytest.approx(1.8, abs=0.05)


def test_a_space_without_priors_trusts_nothing_and_believes_all_alike():
    plain = space()
    searcher, _ = make_parts("default", "default", EPOCHS, seed=0)
    runs = simulate(plain, curve, EPOCHS, 5 * EPOCHS).runs
    assert searcher.trust(runs) == 0.0
    assert not Encoding(plain).belief(Encoding(plain).draw(np.random.default_rng(0), 9)).any()


@pytest.mark.parametrize(("searched", "low", "high"), [(HELPFUL, 0.9, 1.0), (MISLEADING, 0.0, 0.1)])
def test_trust_follows_what_is_seen(searched, low, high):
    searcher, _ = make_parts("default", "default", EPOCHS, seed=0)
    runs = simulate(searched, curve, EPOCHS, 8 * EPOCHS, seed=3).runs
    assert low <= searcher.trust(runs) <= high


@pytest.mark.slow
def test_a_good_prior_helps_early_and_a_bad_one_does_no_lasting_harm():
    seeds = range(8)
    plain, good, bad = (
        {trainings: np.mean([best(kind, trainings, seed) for seed in seeds]) for trainings in (8, 25)}
        for kind in (space(), HELPFUL, MISLEADING)
    )
    top = curve({"lr": 1e-2, "decay": 1e-4, "kind": "a", "kind.a.x": 0.7, "kind.a.depth": 3})[0][-1]
    assert top - good[8] < 0.85 * (top - plain[8])
    assert bad[25] > plain[25] - 0.05 * plain[8]
    assert top - bad[25] < 0.07 * (top - curve(space().baseline())[0][-1])


def test_a_share_is_drawn_elsewhere_however_much_a_prior_is_trusted():
    runs = simulate(HELPFUL, curve, EPOCHS, 20 * EPOCHS, seed=0).runs
    assert any(run.params["kind"] == "c" for run in runs)
    assert any(run.params["lr"] < 1e-4 for run in runs if run.status is not Status.RUNNING)


def test_two_trials_are_too_few_to_judge_a_prior_by():
    """Many epochs of few trials make a model, but the better third of two trials is no sample."""
    for trials in (1, 2, 3, 4, 5):
        runs = simulate(HELPFUL, curve, EPOCHS, trials=trials, workers=1, scheduler="none").runs
        trust = make_parts("default", "none", EPOCHS, seed=0)[0].trust(runs)
        assert 0 <= trust <= 1
        if trials < 4:
            assert trust == 0.5
