import pytest
import torch

from trainables.soundness.corruptions.noise import NOISE


def spoilt(name: str, value: float, severity: int, side: int) -> torch.Tensor:
    count = 224 // side
    images = torch.full((count, 3, side, side), value)
    return NOISE[name](images, severity, torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize(
    ("name", "severity", "side", "deviation"),
    [
        ("gaussian_noise", 1, 224, 0.08),
        ("gaussian_noise", 5, 32, 0.10),
        ("shot_noise", 1, 224, (0.5 / 60) ** 0.5),
        ("shot_noise", 3, 32, (0.5 / 100) ** 0.5),
        ("speckle_noise", 1, 224, 0.5 * 0.15),
        ("speckle_noise", 5, 32, 0.5 * 0.20),
    ],
)
def test_noise_has_the_strength_of_its_severity_and_size(name, severity, side, deviation):
    found = spoilt(name, 0.5, severity, side)
    assert float(found.std()) == pytest.approx(deviation, rel=0.03)
    assert float(found.mean()) == pytest.approx(0.5, abs=0.003)


@pytest.mark.parametrize(("severity", "side", "share"), [(1, 224, 0.03), (5, 224, 0.27), (4, 32, 0.05)])
def test_impulses_are_white_as_often_as_black(severity, side, share):
    found = spoilt("impulse_noise", 0.5, severity, side)
    for value in (0, 1):
        assert float((found == value).double().mean()) == pytest.approx(share / 2, rel=0.1)
    assert float((found == 0.5).double().mean()) == pytest.approx(1 - share, rel=0.01)


@pytest.mark.parametrize(
    ("name", "kept"), [("shot_noise", True), ("speckle_noise", True), ("gaussian_noise", False)]
)
def test_noise_of_light_leaves_black_alone(name, kept):
    assert bool((spoilt(name, 0.0, 5, 32) == 0).all()) == kept
