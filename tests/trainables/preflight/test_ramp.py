"""The ramp, and what is read from it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.conftest import QUIET_CPU
from trainables.config import Fixed, TrialConfig
from trainables.data import load_dataset
from trainables.material import prepare, reading_of
from trainables.preflight.core import setup_of
from trainables.preflight.ramp import Ramp, ramp
from trainables.preflight.setup import Setup
from trainables.preflight.suggestion import averaged, suggest

RECORDED = Path(__file__).with_name("rates.jsonl")
"""Whole trainings at sixteen rates each, by ``benchmarks/learning_rates.py``."""
SHARED = Path(__file__).resolve().parents[4] / "shared"


def quadratic(curvature: float, batch: int = 8) -> Setup:
    """Linear regression by SGD, which is stable up to a rate of 2 / curvature."""
    inputs = torch.full((64, 1), math.sqrt(curvature))

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        wanted = math.sqrt(curvature) * (3 + 0.3 * (2 * labels - 1)).view(-1, 1)
        return 0.5 * (outputs - wanted).square().mean()

    return Setup.of(
        model=lambda: nn.Linear(1, 1, bias=False),
        optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=1e-3),
        train=(inputs, torch.arange(64) % 2),
        val=(inputs, torch.arange(64) % 2),
        classes=2,
        loss=loss,
        batch=batch,
    )


@pytest.mark.parametrize("curvature", [0.3, 30.0, 3000.0])
def test_training_comes_apart_above_the_rate_that_is_stable(curvature):
    """But for the five steps by which averages look ahead, a factor of 1.9 here."""
    found = suggest(ramp(quadratic(curvature), low=1e-8 / curvature, high=1e3 / curvature, steps=200))
    assert 2 / 1.9 < found.apart * curvature < 20
    assert found.rate < 2 / curvature


def test_rates_grow_by_the_same_factor_and_the_network_is_made_anew():
    setup = quadratic(1.0)
    found = ramp(setup, low=1e-6, high=1e-2, steps=50)
    rates = np.log(found.rates)
    assert np.allclose(np.diff(rates), rates[1] - rates[0])
    assert (found.rates[0], found.rates[-1], found.broken) == (1e-6, pytest.approx(1e-2), False)
    assert ramp(setup, low=1e-6, high=1e-2, steps=50) == found


def test_a_ramp_that_comes_apart_is_broken_off():
    found = ramp(quadratic(1.0), low=1e-3, high=1e6)
    assert found.broken
    assert len(found.rates) < 100


def test_what_does_not_fall_is_told():
    rates = tuple(np.logspace(-6, 1, 100))
    flat = suggest(Ramp(rates, (2.3,) * 100, False))
    falling = suggest(Ramp(rates, tuple(np.linspace(2.3, 1.0, 100)), False))
    assert (flat.fell, falling.fell) == (False, True)


def test_the_two_known_rules_on_a_sigmoid():
    """It falls steepest by step in its middle, at 1e-3; the smoothing of both rules is late by a few steps."""
    rates = np.logspace(-6, 0, 101)
    losses = 2.3 / (1 + np.exp(4 * (np.log10(rates) + 3)))
    found = suggest(Ramp(tuple(rates), tuple(losses), False))
    assert 1e-3 < found.steepest < 1e-2
    assert 1e-5 < found.valley < 1e-2


def test_averages_are_of_neighbours_on_both_sides():
    values = np.arange(30.0)
    assert np.allclose(averaged(values)[5:-5], values[5:-5])
    assert averaged(values)[0] == np.mean(values[:6])


NETWORKS = {
    "glyphs": {"model": "glyphs"},
    "test_resnet": {"model": "test_resnet", "pretrained": False, "image_size": 32},
    "mobilenetv1": {
        "model": "examples.quarter_mobilenet:quarter_mobilenet",
        "pretrained": str(SHARED / "weights" / "mobilenetv1_025.safetensors"),
        "mean": (0.5,) * 3,
        "std": (0.5,) * 3,
        "channels": 3,
        "image_size": 64,
    },
}


def recorded(case: tuple[str, ...]) -> float:
    """The best rate of a fine grid: of the highest accuracy, smoothed over neighbours."""
    found: dict[float, list[float]] = defaultdict(list)
    for row in map(json.loads, RECORDED.read_text().splitlines()):
        if tuple(row["key"][:3]) == case:
            found[row["key"][3]].append(row["acc"] or 0.0)
    rates = sorted(found)
    means = np.pad([np.mean(found[rate]) for rate in rates], 1, mode="edge")
    assert len(rates) == 16
    return rates[int(np.convolve(means, [0.25, 0.5, 0.25], "valid").argmax())]


CASES = [
    ("glyphs", "full"),
    ("glyphs", "feature_extraction"),
    ("test_resnet", "full"),
    ("mobilenetv1", "full"),
    ("mobilenetv1", "feature_extraction"),
]
RULES = ("rate", "steepest", "valley")


def off(network: str, strategy: str) -> dict[str, list[float]]:
    """Rule → logarithms of the factors by which it is off, of three ramps."""
    fixed = Fixed(epochs=12, **QUIET_CPU, **NETWORKS[network])
    material = prepare(load_dataset("digits", 0, reading_of(fixed)), fixed)
    best = recorded((network, strategy, "adamw"))
    found: dict[str, list[float]] = {rule: [] for rule in RULES}
    for seed in range(3):
        config = TrialConfig.from_params({"strategy": strategy, f"strategy.{strategy}.lr": 1e-3}, fixed, seed)
        said = suggest(ramp(setup_of(config, material)))
        for rule, logs in found.items():
            logs.append(math.log(getattr(said, rule) / best))
    return found


@pytest.mark.parametrize("networks", [("glyphs", "test_resnet"), ("glyphs", "test_resnet", "mobilenetv1")])
def test_suggestions_are_within_three_of_the_best_rate_and_nearer_than_those_of_other_rules(
    networks, glyph_weights
):
    """Three architectures where the real network is at hand, in any case the two that need nothing."""
    del glyph_weights
    if not all(
        Path(str(NETWORKS[one].get("pretrained", "/"))).exists() for one in networks if one == "mobilenetv1"
    ):
        pytest.skip("needs weights that are not in the repository")
    whole: dict[str, list[float]] = {rule: [] for rule in RULES}
    for network, strategy in CASES:
        if network in networks:
            found = off(network, strategy)
            assert max(map(abs, found["rate"])) <= math.log(3), (network, strategy)
            for rule, logs in found.items():
                whole[rule] += logs
    typical = {rule: math.sqrt(float(np.mean(np.square(logs)))) for rule, logs in whole.items()}
    assert typical["rate"] < typical["steepest"]
    assert typical["rate"] < typical["valley"]
