"""A worker trains one trial after the other: the tenth finds the process as the first one did."""

from __future__ import annotations

import gc
import json
import random
import threading
from typing import Any

import numpy as np
import psutil
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.resnet import ResNet

from search.execution.names import BEST
from search.execution.recycling import Recycling
from search.execution.seat import Shared
from search.execution.worker import Worker
from tests.conftest import is_clock
from tests.search.parts import quadrants
from trainables import checkpoint
from trainables.config import Fixed
from trainables.material import prepare
from trainables.settling import settle

EPOCHS = 3
RECIPE: dict[str, Any] = {  # all that is random in a training
    "strategy": "full", "strategy.full.lr": 1e-3, "batch_size": 16, "dropout": 0.3, "drop_path": 0.2,
    "augmentation_strength": 0.7, "mixing": "mixup", "ema_decay": 0.9,
}  # fmt: skip
OTHERS: list[dict[str, Any]] = [
    {"strategy": "full", "strategy.full.lr": 1e30, "batch_size": 8},  # diverges
    {"strategy": "full", "strategy.full.lr": 1e-2, "batch_size": 48, "optimizer": "sgd", "sharpness": "sam"},
    {"strategy": "feature_extraction", "strategy.feature_extraction.lr": 1e-2, "batch_size": 16},
    {"strategy": "full", "strategy.full.lr": 1e-3, "batch_size": 4096},  # more than there are: refused
    {"strategy": "gradual_unfreezing", "strategy.gradual_unfreezing.lr": 1e-3, "batch_size": 8},
    {"strategy": "scratch", "strategy.scratch.lr": 1e-2, "batch_size": 8, "batchnorm": "re_estimated"},
    {"strategy": "full", "strategy.full.lr": 1e-3, "batch_size": 16, "augmentation": "rand_augment"},
    {"strategy": "layer_decay", "strategy.layer_decay.lr": 1e-2, "batch_size": 8, "optimizer": "lion"},
]
GIVEN_UP = 6
"""The one of `OTHERS` that is stopped after its first epoch, as the driver stops one at a rung."""


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def worker(request, tmp_path, monkeypatch):
    """A worker, what its trials share, and a maker of the configurations that it is given one after the other."""
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))
    weights = tmp_path / "weights.safetensors"
    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet", num_classes=4, in_chans=1).state_dict(), weights)
    fixed = Fixed(
        model="test_resnet",
        pretrained=str(weights),
        precision="fp32",
        device=request.param,
        repeats=2,
        epochs=EPOCHS,
        deterministic=request.param == "cuda",
    )
    material = prepare(quadrants(0), fixed)
    made = Worker.__new__(Worker)  # Ray's own constructor wants a cluster
    shared = Shared("trainables.builder:from_params", settle(fixed, material), material, threads=1)

    def config(number: int, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "study": "uid", "phase": "search", "number": number, "params": params, "seed": 5, "known": 0, "asked": 0.0,
            "folder": str(tmp_path / str(number)), "waits": (1, 2, 3),
        }  # fmt: skip

    return made, shared, config


def trained(worker: Worker, epochs: int = EPOCHS) -> list[dict[str, Any]]:
    """A trial's records without what a clock or the system says, or its failure."""
    told: list[dict[str, Any]] = []
    while len(told) < epochs:
        result = worker.step()
        if "record" not in result:
            return [*told, {"failure": result["failure"]}]
        told.append(json.loads(result["record"]))
        metrics = told[-1]["metrics"]
        told[-1]["metrics"] = {name: value for name, value in metrics.items() if not is_clock(name)}
    return told


def of_the_process(worker: Worker) -> dict[str, Any]:
    """What a trial may have changed for those after it; asked in the thread that trains."""
    gc.collect()
    return {
        "networks": sum(type(found) is ResNet for found in gc.get_objects()),
        "threads": threading.active_count(),
        "system threads": psutil.Process().num_threads(),
        "files": psutil.Process().num_fds(),
        "torch threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "type": torch.get_default_dtype(),
        "random": hash(bytes(torch.get_rng_state().numpy())),
        "numpy's": hash(str(np.random.get_state())),
        "Python's": hash(random.getstate()),
        "on the card": torch.cuda.memory_allocated() if torch.cuda.is_available() else 0,
    }


def test_the_tenth_trial_of_a_process_gives_the_numbers_of_the_first(worker, tmp_path):
    one, shared, config = worker
    one.setup(config(0, RECIPE), shared)
    first = trained(one)
    assert len(first) == EPOCHS
    best = checkpoint.load(tmp_path / "0" / BEST)["weights"]
    before = one.seat._thread.run(lambda: of_the_process(one)).result()
    ended = []
    for number, params in enumerate(OTHERS, start=1):
        one.reset_config(config(number, params))
        ended.append(trained(one, epochs=1 if number == GIVEN_UP else EPOCHS))
    assert "diverged" in ended[0][-1]["failure"]
    assert "`batch_size <= training images` must hold" in ended[3][-1]["failure"]
    assert sum("failure" in records[-1] for records in ended) == 2  # the others trained, as they were told to
    one.reset_config(config(9, RECIPE))
    assert trained(one) == first
    for name, tensor in checkpoint.load(tmp_path / "9" / BEST)["weights"].items():
        assert torch.equal(tensor, best[name]), name
    assert one.seat._thread.run(lambda: of_the_process(one)).result() == before


def test_a_process_is_let_go_after_so_many_trials_and_its_successor_begins_anew():
    recycling = Recycling(limit=3)
    assert [recycling.goes_on("one") for _ in range(2)] == [True, True]
    assert recycling.goes_on("two") is True  # each has a count of its own
    assert recycling.goes_on("one") is False
    assert [recycling.goes_on("two") for _ in range(2)] == [True, False]
    assert recycling.goes_on("one") is True
