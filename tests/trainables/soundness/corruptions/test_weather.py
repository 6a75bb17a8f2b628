import colorsys

import pytest
import torch

from trainables.soundness.corruptions.corruption import SEVERITIES
from trainables.soundness.corruptions.weather import WEATHER


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("severity", "added"), list(zip(SEVERITIES, (0.1, 0.2, 0.3, 0.4, 0.5), strict=True)))
def test_brightness_is_value_in_the_hsv_of_colorsys(severity, added):
    images = torch.rand(1, 3, 8, 8, generator=drawn(), dtype=torch.float64)
    images[0, :, 0, 0] = 0
    found = WEATHER["brightness"](images, severity, drawn())[0].flatten(1).T
    for before, after in zip(images[0].flatten(1).T.tolist(), found.tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        assert after == pytest.approx(colorsys.hsv_to_rgb(hue, saturation, min(1, value + added)), abs=1e-6)


def test_fog_is_one_and_the_same_only_thicker():
    images = 0.8 * torch.rand(2, 3, 32, 32, generator=drawn())
    largest = images.amax((1, 2, 3), keepdim=True)
    first, last = (WEATHER["fog"](images, severity, drawn()) - images for severity in (1, 5))
    # y − x = t (m f − x) / (m + t), of strengths 1 and 3.
    assert torch.allclose(last, first * 3 * (largest + 1) / (largest + 3), atol=1e-5)
    assert bool((images + last <= largest + 1e-6).all())


def test_frost_hides_the_edges_first():
    images = torch.zeros(16, 3, 64, 64)
    found = WEATHER["frost"](images, 5, drawn()).mean((0, 1))
    middle = float(found[24:40, 24:40].mean())
    assert float(found[:6].mean()) > 1.5 * middle > 0


def test_ice_is_bluish_and_grey_ice_is_white():
    found = WEATHER["frost"](torch.zeros(8, 3, 32, 32), 3, drawn()).mean((0, 2, 3))
    assert found.tolist() == sorted(found.tolist())
    assert float(WEATHER["frost"](torch.zeros(8, 1, 32, 32), 5, drawn()).max()) > 0.9


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 32, 100])
def test_snow_only_adds_light(channels, side):
    images = torch.rand(2, channels, side, side, generator=drawn())
    for severity in SEVERITIES:
        assert bool((WEATHER["snow"](images, severity, drawn()) >= images - 1e-6).all())


def test_snow_falls_in_flakes():
    """On an even ground some places are as they would be in dry weather, and others white."""
    images = torch.full((4, 3, 224, 224), 0.3)
    found = WEATHER["snow"](images, 1, drawn())
    dry = 0.9 * 0.3 + 0.1 * (1.5 * 0.3 + 0.5)
    assert float((found - dry).abs().lt(0.01).float().mean()) > 0.5
    assert 0.001 < float((found > dry + 0.3).float().mean()) < 0.2
