import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from trainables.instruments import (
    NEAR_ZERO,
    Laps,
    UpdateRatio,
    learning_rates,
    near_zero,
)


def test_the_update_ratio_is_the_length_of_the_step_over_that_of_the_weights():
    weights = [nn.Parameter(torch.full((3, 4), 2.0)), nn.Parameter(torch.ones(5))]
    optimizer = torch.optim.SGD(weights, lr=0.1)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    ratio = UpdateRatio()
    ratio.begin(weights)
    optimizer.step()
    expected = (0.1**2 * 17) ** 0.5 / (4.0 * 12 + 5) ** 0.5
    assert float(ratio.end(weights)) == pytest.approx(expected, rel=1e-5)


def test_the_update_ratio_of_nothing_is_0():
    ratio = UpdateRatio()
    ratio.begin([])
    assert float(ratio.end([])) == 0


def test_near_zero_counts_weights_and_not_biases():
    weight = nn.Parameter(torch.tensor([[0.0, NEAR_ZERO / 2, -NEAR_ZERO / 2, 1.0]]))
    bias = nn.Parameter(torch.zeros(100))
    assert near_zero([weight, bias]) == 0.75
    assert near_zero([bias]) == 0


def test_learning_rates_are_named_by_group_and_the_largest_leads():
    groups = [
        {"params": [nn.Parameter(torch.ones(1))], "lr": rate, "name": name}
        for name, rate in (("layer 0", 1e-4), ("layer 0", 1e-4), ("head", 1e-3))
    ]
    assert learning_rates(torch.optim.SGD(groups)) == {"lr": 1e-3, "lr/layer_0": 1e-4, "lr/head": 1e-3}


def test_laps_add_up_to_the_time_since_they_began():
    laps = Laps(torch.device("cpu"))
    laps.begin()
    laps.lap("forgotten")
    laps.begin()
    began = time.perf_counter()
    for _ in range(2):
        time.sleep(0.02)
        laps.lap("sleeping")
        laps.lap("nothing")
    whole = time.perf_counter() - began
    seconds = laps.seconds()
    assert set(seconds) == {"sleeping", "nothing"}
    assert seconds["sleeping"] >= 0.04
    assert sum(seconds.values()) == pytest.approx(whole, abs=2e-3)


MEASURED = """
import torch
from trainables.instruments import PeakMemory

memory = PeakMemory(torch.device("cpu"))
memory.begin()
before = memory.end()
memory.begin()
torch.ones(64 * 2**18)  # 64 MiB, gone at once
during = memory.end()
memory.begin()
print(during - before, memory.end() - before)
"""


@pytest.fixture(scope="module")
def peaks() -> tuple[float, float]:
    """How far 64 MiB that came and went raised the peak, and how far it stands above it after; MiB.

    A process of its own: one that held more before, or whose allocator keeps what is freed, shows no rise.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], env=env, check=True, capture_output=True, text=True
    )
    during, after = map(float, done.stdout.split())
    return during, after


def test_peak_memory_sees_what_came_and_went(peaks: tuple[float, float]):
    assert 40 < peaks[0] < 200


def test_an_earlier_peak_is_forgotten_where_the_system_can(peaks: tuple[float, float]):
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError as error:
        pytest.skip(f"this system keeps a process's peak for its life: {error}")
    assert peaks[1] < 20
