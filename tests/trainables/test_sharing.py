"""How many trials a card has room for, and whether they should be one network: measured, here on the processor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn

from tests.conftest import quadrants
from trainables.builder import from_params
from trainables.precision import Precision
from trainables.sharing import gain_of, memory_of_a_trial, number_that_pays, room_for

EXACT = Precision("fp32", torch.device("cpu"))
FULL = {"strategy": "full", "strategy.full.lr": 1e-3}


def convolutions() -> nn.Module:
    return timm.create_model("test_resnet", num_classes=4).to(memory_format=torch.channels_last).train()


def many_small_layers() -> nn.Module:
    """Operations that take longer to ask for than to do, as those of a small network on a card."""
    layers = [nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU()) for _ in range(40)]
    return nn.Sequential(*layers, nn.Linear(4, 4))


def test_networks_whose_operations_are_full_are_not_batched():
    batch = torch.rand(32, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    assert number_that_pays(convolutions, batch, EXACT, most=4) == 1


def test_networks_whose_operations_are_empty_are():
    batch = torch.rand(2, 4)
    assert number_that_pays(many_small_layers, batch, EXACT, most=64) > 8
    assert gain_of([many_small_layers() for _ in range(64)], batch, EXACT) > 1.5


def test_never_more_than_there_are_workers():
    assert number_that_pays(many_small_layers, torch.rand(2, 4), EXACT, most=1) == 1


def test_a_network_that_cannot_be_batched_is_not():
    def odd() -> nn.Module:
        class Odd(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight = nn.Parameter(torch.ones(1))

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x * self.weight if float(x.sum()) > 0 else x  # looks at a value

        return Odd()

    assert number_that_pays(odd, torch.rand(2, 4), EXACT, most=8) == 1


def test_memory_is_that_of_the_hungriest_recipe(fixed: Any, material: Any):
    """On the processor it is the process's own peak: larger batches of larger images take more of it."""
    large = replace(material, train=quadrants(400, 1, 0, side=128), val=quadrants(32, 1, 1, side=128))
    small = memory_of_a_trial([{**FULL, "batch_size": 2}], fixed, large)
    big = memory_of_a_trial([{**FULL, "batch_size": 2}, {**FULL, "batch_size": 128}], fixed, large)
    assert big > small + 50


def test_what_is_measured_is_the_whole_trial(fixed: Any, material: Any, monkeypatch: pytest.MonkeyPatch):
    """The last epoch, with an optimizer that has its state, and few images."""
    seen = {}

    def noted(params: Any, fixed: Any, seed: int, given: Any) -> Any:
        trial = from_params(params, fixed, seed, given)
        seen[params["strategy"]] = (trial, given)
        return trial

    monkeypatch.setattr("trainables.sharing.from_params", noted)
    gradual = {"strategy": "gradual_unfreezing", "strategy.gradual_unfreezing.lr": 1e-3}
    memory_of_a_trial([gradual, {**FULL, "batch_size": 8}], fixed, material)
    trial, given = seen["gradual_unfreezing"]
    assert trial.epoch == fixed.epochs
    assert all(parameter.requires_grad for parameter in trial.model.parameters())
    assert len(given.train) == 3 * fixed.batch_size
    trial, given = seen["full"]
    assert len(given.train) == 3 * 8
    assert all(trial.optimizer.state[parameter] for parameter in trial.model.parameters())
    assert np.array_equal(given.train.labels, material.train.labels[:24])


@pytest.mark.parametrize(
    ("peak", "beside", "total", "room"),
    [(1000, 500, 81_000, 45), (60_000, 500, 81_000, 1), (200_000, 500, 81_000, 1), (30_000, 500, 81_000, 2)],
)
def test_room_is_what_memory_says(peak: float, beside: float, total: float, room: int):
    assert room_for(peak, beside, total) == room
