import math

import pytest
import torch
from torch.nn import functional

from trainables.soundness.corruptions.fields import clouds, needles
from trainables.soundness.corruptions.kernels import EDGE, convolved, disc, displaced, gaussian, streaks


def moments(kernel: torch.Tensor) -> tuple[float, float, float]:
    """Where its weight lies: mean to the right, mean downwards, mean squared distance from the middle."""
    offsets = torch.arange(kernel.shape[-1]) - kernel.shape[-1] // 2
    x, y = (kernel * offsets).sum(), (kernel * offsets[:, None]).sum()
    return float(x), float(y), float((kernel * (offsets**2 + offsets[:, None] ** 2)).sum())


@pytest.mark.parametrize(("height", "width", "taps"), [(8, 8, 3), (9, 20, 7), (31, 17, 15)])
def test_a_convolution_is_the_one_that_torch_has(height, width, taps):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, height, width, generator=generator)
    kernels = torch.rand(2, taps, taps, generator=generator)
    padded = functional.pad(images, (taps // 2,) * 4, mode="reflect")
    for kernel, each in ((kernels, kernels.unbind()), (kernels[:1], (kernels[0],) * 2)):
        expected = torch.stack(
            [
                functional.conv2d(image[:, None], one.flip(0, 1)[None, None])[:, 0]
                for image, one in zip(padded, each, strict=True)
            ]
        )
        assert torch.allclose(convolved(images, kernel), expected, atol=1e-4)


@pytest.mark.parametrize("sigma", [0.8, 1.5, 4.0])
def test_a_gaussian_has_its_width(sigma):
    kernel = gaussian(sigma)[0]
    assert float(kernel.sum()) == pytest.approx(1)
    # Averaging over a pixel adds 1/12 in either direction; three deviations hold all but a little.
    assert moments(kernel) == pytest.approx((0, 0, 2 * (sigma**2 + 1 / 12)), rel=0.04, abs=1e-4)


@pytest.mark.parametrize("radius", [3.0, 6.5, 10.0])
def test_a_disc_has_its_radius(radius):
    kernel = disc(radius)[0]
    assert float(kernel.sum()) == pytest.approx(1)
    x, y, squares = moments(kernel)
    assert (x, y) == pytest.approx((0, 0), abs=1e-4)
    assert math.sqrt(2 * squares) == pytest.approx(math.hypot(radius, 2 * EDGE), rel=0.02)
    middle = kernel.shape[-1] // 2
    assert float(kernel[middle, middle + int(radius) - 1] / kernel[middle, middle]) > 0.9


def test_a_disc_of_less_than_a_pixel_blurs_the_more_the_wider_it_is():
    middles = [float(disc(radius)[0].max()) for radius in (0.2, 0.4, 0.6, 0.9)]
    assert middles == sorted(middles, reverse=True)
    assert middles[0] < 0.9


@pytest.mark.parametrize(("length", "sigma"), [(1.4, 0.5), (10.0, 3.0), (20.0, 15.0)])
def test_a_streak_points_its_way(length, sigma):
    angles = torch.tensor([0.0, 0.7, -0.5, math.pi / 2])
    kernels = streaks(angles, length, sigma)
    along = torch.linspace(0, length, 100_001, dtype=torch.float64)
    weights = torch.exp(-0.5 * (along / sigma) ** 2)
    mean = float((along * weights).sum() / weights.sum())
    for angle, kernel in zip(angles.tolist(), kernels, strict=True):
        assert float(kernel.sum()) == pytest.approx(1, abs=1e-5)
        x, y, _ = moments(kernel)
        assert (x, y) == pytest.approx((mean * math.cos(angle), mean * math.sin(angle)), rel=0.01, abs=0.01)


def test_pixels_are_looked_up_where_they_are_said_to_lie():
    images = torch.rand(1, 2, 6, 7, generator=torch.Generator().manual_seed(0))
    right, down = torch.full((1, 6, 7), 2.0), torch.full((1, 6, 7), -1.0)
    found = displaced(images, right, down)
    assert torch.allclose(found[..., 1:, :-2], images[..., :-1, 2:], atol=1e-5)
    halfway = displaced(images, right / 4, down * 0)
    assert torch.allclose(halfway[..., :-1], (images[..., :-1] + images[..., 1:]) / 2, atol=1e-5)


def test_clouds_fill_the_range_and_are_smoother_the_faster_they_decay():
    found = [clouds((3, 40, 64), decay, torch.Generator().manual_seed(0)) for decay in (1.4, 2.5)]
    for field in found:
        assert field.shape == (3, 1, 40, 64)
        assert torch.equal(field.amin((1, 2, 3)), torch.zeros(3))
        assert torch.equal(field.amax((1, 2, 3)), torch.ones(3))
    rough, smooth = (float(field.diff(dim=3).abs().mean()) for field in found)
    assert smooth < rough / 2


def test_needles_are_longer_than_they_are_wide():
    field = needles((4, 96, 96), 24.0, 4.0, torch.Generator().manual_seed(0))
    assert field.shape == (4, 1, 96, 96)
    assert 0 <= float(field.min()) < 0.01
    assert 0.99 < float(field.max()) <= 1
    # The mean outer product of gradients: across a needle brightness changes far more than along it.
    x, y = field.diff(dim=3)[..., :-1, :], field.diff(dim=2)[..., :-1]
    for xx, yy, xy in zip(
        (x * x).mean((1, 2, 3)), (y * y).mean((1, 2, 3)), (x * y).mean((1, 2, 3)), strict=True
    ):
        along, across = torch.linalg.eigvalsh(torch.tensor([[xx, xy], [xy, yy]])).tolist()
        assert across > 3 * along
