import colorsys

import pytest
import torch
from torch.nn import functional

from trainables.soundness.corruptions.digital import DIGITAL


def drawn() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=drawn())


def test_contrast_is_the_distance_from_the_mean():
    images = noise(2, 3, 16, 16)
    found = DIGITAL["contrast"](images, 3, drawn())
    assert torch.allclose(found.mean((2, 3)), images.mean((2, 3)), atol=1e-6)
    assert torch.allclose(found.std((2, 3)), 0.2 * images.std((2, 3)), atol=1e-6)


@pytest.mark.parametrize(("severity", "block"), [(2, 2), (5, 4)])
def test_blocks_that_divide_the_image_are_pooled(severity, block):
    images = noise(1, 3, 224, 448)
    pooled = functional.avg_pool2d(images, block)
    expected = functional.interpolate(pooled, scale_factor=block, mode="nearest")
    assert torch.allclose(DIGITAL["pixelate"](images, severity, drawn()), expected, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (32, 41), (100, 230)])
def test_blocks_keep_the_light_and_what_is_even(height, width):
    images = noise(2, 1, height, width)
    for severity in (1, 4):
        found = DIGITAL["pixelate"](images, severity, drawn())
        assert torch.allclose(found.mean((2, 3)), images.mean((2, 3)), atol=1e-5)
        even = torch.full_like(images, 0.4)
        assert torch.allclose(DIGITAL["pixelate"](even, severity, drawn()), even, atol=1e-6)


@pytest.mark.parametrize("side", [32, 224])
def test_a_sheet_is_displaced_by_as_much_as_is_said(side):
    """On images whose values are their own places, the values that are found say where they came from."""
    ramp = torch.linspace(0, 1, side).expand(4, 1, side, side)
    inner = slice(side // 8, -side // 8)
    for images in (ramp, ramp.transpose(2, 3)):
        moved = (DIGITAL["elastic_transform"](images, 5, drawn()) - images) * (side - 1)
        size = float(moved[..., inner, inner].square().mean().sqrt())
        assert size == pytest.approx(5.5 * side / 224, rel=0.15)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_keeps_what_is_even_and_loses_what_is_fine(channels):
    even = torch.full((1, channels, 24, 24), 0.4)
    assert torch.allclose(DIGITAL["jpeg_compression"](even, 3, drawn()), even, atol=0.02)
    fine = 0.4 + 0.05 * noise(1, channels, 224, 224)
    assert float(DIGITAL["jpeg_compression"](fine, 5, drawn()).std()) < 0.5 * float(fine.std())


@pytest.mark.parametrize(("severity", "factor"), [(1, 1.5), (3, 3.0), (5, 20.0)])
def test_saturation_is_that_of_colorsys(severity, factor):
    images = noise(1, 3, 8, 8).double()
    images[0, :, 0, 0] = torch.tensor([0.0, 0.0, 0.0])
    images[0, :, 0, 1] = torch.tensor([0.4, 0.4, 0.4])
    found = DIGITAL["saturate"](images, severity, drawn())[0].flatten(1).T
    for before, after in zip(images[0].flatten(1).T.tolist(), found.tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        assert after == pytest.approx(colorsys.hsv_to_rgb(hue, min(1, saturation * factor), value), abs=1e-5)
