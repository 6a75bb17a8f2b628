from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from spaces import InputError
from tests.conftest import QUIET_CPU, quadrants, small_dataset
from trainables.config import Fixed
from trainables.data import Dataset, Images
from trainables.material import Material, fitted, input_size, prepare
from trainables.models.backbone import find_backbone

sides = st.integers(8, 70)


def fixed(**changes) -> Fixed:
    return Fixed(**{"model": "test_resnet", "pretrained": False, **QUIET_CPU, **changes})


def photographs(height: int, width: int, channels: int, seed: int = 0) -> Images:
    """Smooth pictures, as photographs are: noise would hide how a picture was made smaller."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (3, 5, 5, channels), dtype=np.uint8)
    pixels = [
        np.stack(
            [
                np.asarray(
                    Image.fromarray(image[..., channel]).resize((width, height), Image.Resampling.BICUBIC)
                )
                for channel in range(channels)
            ],
            axis=-1,
        )
        for image in coarse
    ]
    return Images(np.stack(pixels), np.array([0, 1, 2]))


# --- sizes ---------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(height=sides, width=sides, size=sides, channels=st.sampled_from([1, 3]))
def test_resized_images_are_what_pillow_makes_of_them(height, width, size, channels):
    images = photographs(height, width, channels)
    mine = fitted(images, size)
    assert mine.pixels.shape == (3, size, size, channels)
    assert mine.pixels.dtype == np.uint8
    assert mine.pixels.flags.c_contiguous
    assert mine.labels is images.labels
    theirs = np.stack(
        [
            np.asarray(
                Image.fromarray(images.pixels[0, ..., c]).resize((size, size), Image.Resampling.BILINEAR)
            )
            for c in range(channels)
        ],
        axis=-1,
    )
    assert (
        np.abs(mine.pixels[0].astype(int) - theirs.astype(int)).max() <= 1
    )  # Pillow rounds between its passes


def test_images_of_the_right_size_are_left_alone():
    images = quadrants(4, 1, 0)
    assert fitted(images, 32) is images


def test_shared_read_only_images_can_be_resized():
    images = quadrants(4, 3, 0)
    images.pixels.flags.writeable = False
    assert fitted(images, 16).pixels.shape == (4, 16, 16, 3)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, 32),  # a convolutional network takes the images as they are
        ({"image_size": 48}, 48),
        ({"model": "test_vit"}, 160),  # a transformer insists
        ({"model": "test_vit", "image_size": 64}, 64),
    ],
)
def test_the_size_is_as_asked_else_as_the_architecture_insists_else_the_images_own(changes, size):
    dataset = small_dataset()
    assert input_size(dataset, find_backbone(fixed(**changes)), fixed(**changes)) == size
    assert prepare(dataset, fixed(**changes)).val.pixels.shape == (32, size, size, 1)


# --- statistics ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_without_pretrained_weights_training_images_are_normalised_to_mean_0_and_std_1(channels):
    material = prepare(small_dataset(channels), fixed())
    pixels = torch.from_numpy(material.train.pixels).permute(0, 3, 1, 2) / 255
    normal = material.normalise(pixels)
    assert normal.mean((0, 2, 3)).tolist() == pytest.approx([0.0] * channels, abs=1e-4)
    assert normal.std((0, 2, 3), correction=0).tolist() == pytest.approx([1.0] * channels, abs=1e-4)


def test_images_of_one_colour_do_not_divide_by_zero():
    black = Images(np.zeros((4, 8, 8, 1), np.uint8), np.arange(4))
    material = prepare(replace(small_dataset(), train=black), fixed(image_size=8))
    assert torch.isfinite(material.normalise(torch.rand(2, 1, 8, 8))).all()


@pytest.mark.parametrize(
    ("channels", "given_mean", "used"),
    [(3, (0.2,), (0.2, 0.2, 0.2)), (1, (0.1, 0.2, 0.6), (0.3,)), (3, (0.1, 0.2, 0.6), (0.1, 0.2, 0.6))],
)
def test_statistics_of_weights_are_fitted_to_the_channels(channels, given_mean, used):
    statistics = {"mean": given_mean, "std": (0.5,)}
    normalise = prepare(small_dataset(channels), fixed(**statistics)).normalise
    assert normalise.mean == pytest.approx(used)
    assert normalise.std == (0.5,) * channels


@pytest.mark.parametrize(
    "statistics",
    [
        {"mean": (0.1, 0.2), "std": (0.5,)},
        {"mean": (0.5,), "std": (0.5, 0.5)},
        {"mean": (0.5,), "std": (0.0,)},
    ],
)
def test_statistics_of_another_number_of_channels_are_refused(statistics):
    with pytest.raises(InputError, match=r"one value a channel \(3\), std above 0, but got mean="):
        prepare(small_dataset(3), fixed(**statistics))


# --- the whole -----------------------------------------------------------------------------------------


def test_no_trial_can_get_at_the_test_split():
    dataset: Dataset = small_dataset()
    material = prepare(dataset, fixed())
    held = [getattr(material, field.name) for field in fields(Material)]
    assert {len(images) for images in held if isinstance(images, Images)} == {48, 32}
    assert not any(images is dataset.test for images in held)
    assert np.array_equal(material.val.pixels, dataset.val.pixels)
    assert material.channels == 1
