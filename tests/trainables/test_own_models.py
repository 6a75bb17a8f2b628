"""Architectures of the user's own, weights that the hub does not give, and inputs of any channels."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn

from examples.quarter_mobilenet import quarter_mobilenet
from spaces import InputError
from tests.conftest import QUIET_CPU, small_dataset
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.data import Dataset, Images
from trainables.material import prepare
from trainables.models import hub
from trainables.models.backbone import find_backbone, load_weights
from trainables.models.network import make_network

OWN = f"{__name__}:own"


def own(**arguments: Any) -> nn.Module:
    """One of timm's small ones under another name."""
    return timm.create_model("test_resnet", **arguments)


class Plain(nn.Module):
    """A network without any of timm's methods."""

    def __init__(self, num_classes: int, in_chans: int) -> None:
        super().__init__()
        self.fc = nn.Linear(in_chans, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(images.mean((2, 3)))


class Headed(Plain):
    """One that knows its classifier, and no layers."""

    def get_classifier(self) -> nn.Module:
        return self.fc


number = 3


def nothing(**arguments: Any) -> int:
    return 3


def fixed(**changes) -> Fixed:
    return Fixed(
        **{
            "model": OWN,
            "epochs": 2,
            "pretrained": False,
            "repeats": 1,
            "batch_size": 8,
            "warmup_epochs": 0.5,
            **QUIET_CPU,
            **changes,
        }
    )


@pytest.mark.parametrize("strategy", ["full", "feature_extraction", "layer_decay", "gradual_unfreezing"])
def test_an_architecture_of_ones_own_trains_like_timms(strategy):
    records = {}
    for model in (OWN, "test_resnet"):
        settings = fixed(model=model)
        trainable = from_params(
            {"strategy": strategy, f"strategy.{strategy}.lr": 1e-3},
            settings,
            0,
            prepare(small_dataset(), settings),
        )
        records[model] = [record.metrics["train/loss"] for record in trainable.epochs()]
    assert records[OWN] == records["test_resnet"]


def test_weights_of_a_file_reach_an_architecture_of_ones_own(tmp_path):
    torch.save(timm.create_model("test_resnet", num_classes=7).state_dict(), tmp_path / "w.pt")
    backbone = find_backbone(fixed())
    weights = load_weights(backbone, str(tmp_path / "w.pt"))
    network = make_network(backbone, weights, classes=4, channels=3)
    assert torch.equal(
        network.state_dict()["conv1.0.weight"], torch.load(tmp_path / "w.pt")["conv1.0.weight"]
    )
    with pytest.raises(InputError, match="must be named, since nobody else knows them"):
        load_weights(backbone, True)


@pytest.mark.parametrize(
    ("model", "strategy", "says"),
    [
        ("nowhere.at.all:net", "full", "must be importable"),
        (f"{__name__}:number", "full", "must be a function, but is a int"),
        (f"{__name__}:nothing", "full", "must return a torch module, but got int"),
        (f"{__name__}:Plain", "feature_extraction", "timm's `get_classifier`, but Plain has none"),
        (f"{__name__}:Headed", "layer_decay", "timm's `group_matcher`"),
    ],
)
def test_an_architecture_that_lacks_something_says_what(model, strategy, says):
    def train() -> None:
        settings = fixed(model=model)
        from_params(
            {"strategy": strategy, f"strategy.{strategy}.lr": 1e-3},
            settings,
            0,
            prepare(small_dataset(), settings),
        )

    with pytest.raises(InputError, match=says):
        train()


def test_a_network_that_knows_only_its_classifier_can_be_tuned_whole():
    settings = fixed(model=f"{__name__}:Headed")
    trainable = from_params(
        {"strategy": "full", "strategy.full.lr": 1e-3}, settings, 0, prepare(small_dataset(), settings)
    )
    assert len(list(trainable.epochs())) == 2


def test_the_example_is_a_mobilenet_of_a_quarter_of_the_width():
    assert sum(p.numel() for p in quarter_mobilenet(num_classes=1000).parameters()) == pytest.approx(
        0.47e6, rel=0.01
    )


# -- channels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_images_of_any_channels_are_normalised_and_trained_on(channels):
    rng = np.random.default_rng(0)
    images = Images(rng.integers(0, 256, (16, 16, 16, channels), np.uint8), np.arange(16) % 2)
    dataset = Dataset("any", ("a", "b"), images, images, images)
    known = {} if channels == 2 else {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)}
    settings = fixed(model="test_resnet", augmentation_strength=0.0, **known)
    material = prepare(dataset, settings)
    assert len(material.normalise.mean) == channels
    if channels in (4, 6):
        assert material.normalise.mean == pytest.approx((0.4, 0.5, 0.6) + (0.5,) * (channels - 3))
    trainable = from_params({"strategy": "full", "strategy.full.lr": 1e-3}, settings, 0, material)
    assert len(list(trainable.epochs())) == 2


@pytest.mark.parametrize("channels", [1, 4, 5])
def test_the_first_layer_answers_as_loudly_with_other_channels(channels):
    backbone = find_backbone(fixed(model="test_resnet"))
    weights = {name: tensor.numpy() for name, tensor in timm.create_model("test_resnet").state_dict().items()}
    usual = make_network(backbone, weights, classes=2, channels=3).eval()
    other = make_network(backbone, weights, classes=2, channels=channels).eval()
    grey = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        assert torch.allclose(
            usual.conv1[0](grey.expand(1, 3, -1, -1)),
            other.conv1[0](grey.expand(1, channels, -1, -1)),
            atol=1e-5,
        )


# -- the hub --------------------------------------------------------------------------------------------


@pytest.fixture
def away(monkeypatch, tmp_path):
    """A hub that does not answer: a port that nobody listens at."""
    from huggingface_hub import constants

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "_in_cache", lambda hub_id: False)


def test_weights_of_a_hub_that_is_away_are_a_sentence_that_names_the_file(away):
    with pytest.raises(InputError) as told:
        load_weights(find_backbone(fixed(model="resnet18", pretrained=True)), True)
    for part in ("model.safetensors of timm/resnet18.a1_in1k", "pretrained=FILE", "pretrained=false"):
        assert part in str(told.value)


def test_a_hub_that_listens_is_asked(monkeypatch):
    from huggingface_hub import constants

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{listening.getsockname()[1]}")
        assert hub._answers()
    assert not hub._answers()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub._answers()
