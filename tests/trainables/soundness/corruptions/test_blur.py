import pytest
import torch

from trainables.soundness.corruptions.blur import BLUR


def drawn() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", BLUR)
@pytest.mark.parametrize("side", [8, 32, 100])
def test_what_has_no_forms_has_none_to_lose(name, side):
    images = torch.tensor([0.0, 0.3, 1.0]).view(3, 1, 1, 1).expand(3, 3, side, side)
    assert torch.allclose(BLUR[name](images, 5, drawn()), images, atol=1e-5)


@pytest.mark.parametrize("name", BLUR)
def test_a_point_of_light_is_spread_and_stays_near(name):
    images = torch.zeros(1, 1, 64, 64)
    images[0, 0, 32, 32] = 1
    peaks = []
    for severity in (1, 3, 5):
        found = BLUR[name](images, severity, drawn())[0, 0]
        x, y = (int(index) for index in (found == found.max()).nonzero()[0])
        assert max(abs(x - 32), abs(y - 32)) <= 3
        peaks.append(float(found.max()))
    assert 1 > peaks[0] > peaks[1] > peaks[2]


def test_a_lens_keeps_the_light():
    images = torch.zeros(1, 1, 64, 64)
    images[0, 0, 32, 32] = 1
    for severity in (1, 5):
        assert float(BLUR["defocus_blur"](images, severity, drawn()).sum()) == pytest.approx(1, abs=1e-4)


def test_a_hand_shakes_rather_sideways():
    """Upright lines are blurred at any angle within an eighth of a turn; level ones by some angles hardly."""
    lines = (torch.arange(64) % 8 < 4).float()
    upright = lines.expand(16, 1, 64, 64)
    level = upright.transpose(2, 3)
    left = [BLUR["motion_blur"](each, 5, drawn()).std((2, 3)) for each in (upright, level)]
    assert float(left[0].max()) < 0.6 * float(left[1].max())


def test_a_zoom_blurs_the_edge_and_not_the_middle():
    images = torch.rand(1, 1, 65, 65, generator=drawn())
    change = (BLUR["zoom_blur"](images, 1, drawn()) - images)[0, 0].abs()
    assert float(change[31:34, 31:34].mean()) < 0.3 * float(change[:8].mean())
