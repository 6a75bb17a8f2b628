"""What `auto` becomes here: measured on networks of which it is known what is quick, and what is no number."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.conftest import QUIET_CPU, small_dataset
from trainables import timing
from trainables.builder import from_params
from trainables.config import MEASURED, Fixed, TrialConfig
from trainables.data.batches import Split
from trainables.material import Material, prepare
from trainables.memory_format import FORMATS
from trainables.models.network import make_network
from trainables.precision import candidates
from trainables.settling import settle
from trainables.timing import quickest

HERE = __name__
FULL = {"strategy": "full", "strategy.full.lr": 1e-3}
LATE = 0.02
"""Seconds by which a slow way is slower than a pass."""


class Linear(nn.Module):
    """What the networks here have in common."""

    def __init__(self, num_classes: int, in_chans: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_chans, 4, 3)
        self.fc = nn.Linear(4, num_classes)

    def get_classifier(self) -> nn.Module:
        return self.fc

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.conv(images).mean((2, 3)))


class SlowInOrder(Linear):
    """Slow for images, or for weights, that are not as a network of old has them."""

    def forward(self, images: Tensor) -> Tensor:
        if not images.is_contiguous() or not self.conv.weight.is_contiguous():
            time.sleep(LATE)
        return super().forward(images)


class SlowInFull(Linear):
    """Slow but in 16 bits."""

    def forward(self, images: Tensor) -> Tensor:
        if not torch.is_autocast_enabled("cpu"):
            time.sleep(LATE)
        return super().forward(images)


class Cancels(SlowInFull):
    """The same, where 16 bits cannot tell two numbers apart by whose difference it divides."""

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        near = torch.tensor(1.001, dtype=logits.dtype) - torch.tensor(1.0, dtype=logits.dtype)
        return logits / near


class Cusps(SlowInFull):
    """The same, where outputs are numbers and what is to be learnt from them is none."""

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        return logits + (logits - logits.detach()).abs().sqrt() if logits.dtype == torch.bfloat16 else logits


def wish(model: str = "test_resnet", **changes: Any) -> tuple[Fixed, Material]:
    settings = {
        "model": model,
        "pretrained": False,
        "epochs": 2,
        "repeats": 1,
        "batch_size": 16,
        "device": "cpu",
    }
    fixed = Fixed.model_validate({**settings, **changes})
    return fixed, prepare(small_dataset(3), fixed)


def test_all_that_is_left_to_the_machine_is_decided_and_the_rest_is_as_it_was():
    open_, material = wish(compile=False, device="auto")
    settled = settle(open_, material)
    assert settled.device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert settled.precision in candidates(torch.device(settled.device))
    assert settled.memory_format in FORMATS
    assert settled == open_.model_copy(update={name: getattr(settled, name) for name in MEASURED})


def test_what_is_decided_is_not_measured(monkeypatch):
    monkeypatch.setattr("trainables.settling.quickest", pytest.fail)
    decided, material = wish(precision="bf16", memory_format="channels_first")
    assert settle(decided, material) == decided


@pytest.mark.parametrize("model", ["SlowInOrder", "Linear"])
def test_the_order_in_memory_in_which_a_network_is_quick_is_taken(model):
    settled = settle(*wish(f"{HERE}:{model}", precision="fp32"))
    assert settled.memory_format == {"SlowInOrder": "channels_first", "Linear": "channels_last"}[model]


@pytest.mark.parametrize(
    ("model", "taken"),
    [("SlowInFull", "bf16"), ("Cancels", "fp32"), ("Cusps", "fp32"), ("SlowInOrder", "fp32")],
)
def test_a_quicker_arithmetic_is_taken_if_all_in_it_is_finite(model, taken):
    assert settle(*wish(f"{HERE}:{model}", memory_format="channels_last")).precision == taken


def test_threads_are_as_they_were():
    before = torch.get_num_threads()
    settle(*wish(), threads=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("seconds", "taken"),
    [
        ({"usual": [1.0, 1.0, 1.0], "other": [0.8, 2.0, 2.0]}, "other"),  # best rounds count
        ({"usual": [1.0, 1.0, 1.0], "other": [0.95, 0.95, 0.95]}, "usual"),  # not by a tenth
        ({"usual": [1.0, 1.0, 1.0], "other": [0.9, 1.0, 1.0]}, "usual"),
        ({"usual": [1.0, 1.0, 1.0], "other": [0.8, 0.8, 0.8], "third": [0.5, 0.9, 0.9]}, "third"),
        ({"usual": [1.0]}, "usual"),
    ],
)
def test_the_quickest_by_its_best_round_if_that_is_a_tenth_shorter(seconds, taken):
    told = {name: iter([0.0, *rounds]) for name, rounds in seconds.items()}  # the first warms up
    ways = {name: (lambda name=name: next(told[name])) for name in seconds}
    assert quickest(ways, rounds=len(seconds["usual"])) == taken


def test_long_rounds_are_few(monkeypatch):
    monkeypatch.setattr(timing, "PATIENCE", 0.0)
    rounds = count()
    assert quickest({"usual": lambda: float(next(rounds)), "other": lambda: 9.0}) == "usual"
    assert next(rounds) == timing.FEWEST + 1


@pytest.mark.parametrize("transfer", ["none", "delta"])
def test_a_training_is_the_same_in_either_order(transfer):
    found = {}
    for name in FORMATS:
        fixed, material = wish(**QUIET_CPU, memory_format=name, epochs=3)
        torch.manual_seed(0)
        made = make_network(material.backbone, None, classes=3, channels=3)
        weights = {key: value.numpy() for key, value in made.state_dict().items()}
        material = Material(**{**material.__dict__, "weights": weights})
        trial = from_params({**FULL, "transfer": transfer}, fixed, 0, material)
        convolutions = [one for one in trial.model.parameters() if one.ndim == 4 and min(one.shape[:2]) > 1]
        in_order = {one.is_contiguous() for one in convolutions if one.shape[2] > 1}
        assert in_order == {name == "channels_first"}
        batch = next(
            inputs for inputs, _ in trial.normalise.batches(Split(material.train, torch.device("cpu")), 4)
        )
        assert batch.is_contiguous() == (name == "channels_first")
        found[name] = [record.metrics["train/loss"] for record in trial.epochs()]
        assert trial.model(batch).isfinite().all()
    assert found["channels_first"] == pytest.approx(found["channels_last"], rel=2e-3)


def test_a_trial_that_nothing_was_measured_for_has_the_usual_order():
    fixed, _ = wish()
    assert TrialConfig.from_params(FULL, fixed).numerics.memory_format == "channels_last"
