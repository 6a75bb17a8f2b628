"""Real parts, small: a data set that a network can learn in seconds, and material made from it."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from trainables.config import Fixed
from trainables.data import Dataset, Images, Invariances
from trainables.material import Material, prepare
from trainables.protocol import SECONDS

# How long an example takes says more about who else is on the machine than about the code.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

# Golden numbers: by itself MKL takes the kernels that suit the processor, whose sums differ; on one with AMX a training
# of three epochs moved by 5e-3. Read at the first product, so before any test. Source: MKL, conditional numerical
# reproducibility.
os.environ.setdefault("MKL_CBWR", "AVX2")

QUIET_CPU = {"precision": "fp32", "device": "cpu"}


def is_clock(metric: str) -> bool:
    """Whether it differs from run to run: it measures the machine, not the training."""
    return metric.startswith(SECONDS) or metric in {
        "images_per_second",
        "epoch_seconds",
        "train_seconds",
        "memory/peak_mb",
    }


@pytest.fixture
def looking(request):
    """A browser of the test's own; see `tests.browser`."""
    from tests.browser import looking_for

    with looking_for(request.node.name) as looking:
        yield looking


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)  # golden numbers: the number of threads changes the order of sums


def quadrants(images: int, channels: int, seed: int, side: int = 32) -> Images:
    """Noise with one bright quadrant; the label says which."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images, dtype=np.int64) % 4
    pixels = rng.integers(0, 120, (images, side, side, channels), dtype=np.uint8)
    half = side // 2
    for image, label in zip(pixels, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[row * half : (row + 1) * half, column * half : (column + 1) * half] += 100
    return Images(pixels, labels)


def small_dataset(channels: int = 1, side: int = 32) -> Dataset:
    """48 images to learn from, 32 to validate, 32 to test."""
    return Dataset(
        name="quadrants",
        classes=("0", "1", "2", "3"),
        train=quadrants(48, channels, 0, side),
        val=quadrants(32, channels, 1, side),
        test=quadrants(32, channels, 2, side),
        invariances=Invariances(horizontal_flip=False, rotation=10.0),
    )


@pytest.fixture(scope="session")
def fixed() -> Fixed:
    return Fixed(model="test_resnet", pretrained=False, epochs=4, batch_size=16, repeats=4, **QUIET_CPU)


@pytest.fixture(scope="session")
def material(fixed: Fixed) -> Material:
    return prepare(small_dataset(), fixed)


@pytest.fixture(scope="session")
def glyph_weights():
    """The built-in backbone's weights, made once a machine (under a minute) and kept in the user's cache."""
    from trainables.models.glyphs import ensure_weights

    return ensure_weights()


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Of a network that has not learnt, in a file: only where they come from decides what may be stored."""
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "some.safetensors"
    save_file(timm.create_model("test_resnet", num_classes=5, in_chans=1).state_dict(), path)
    return path
