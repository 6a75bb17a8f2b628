import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.soundness.corruptions import CORRUPTIONS, SEVERITIES
from trainables.soundness.corruptions.corruption import rung, scale_of


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scene(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """[1, 3, H, W]: as photographs have it, amplitudes that fall with the frequency; and edges."""
    waves = torch.fft.rfft2(torch.randn(3, height, width, generator=drawn(seed)))
    frequency = torch.hypot(torch.fft.fftfreq(height)[:, None] * height, torch.fft.rfftfreq(width) * width)
    smooth = torch.fft.irfft2(waves / frequency.clamp(min=1), s=(height, width))
    smooth = 0.45 + 0.15 * smooth / smooth.std() + torch.tensor([0.06, 0.0, -0.06]).view(3, 1, 1)
    smooth[:, height // 4 : height // 2, width // 5 : width // 2] += torch.tensor([0.3, 0.05, -0.1]).view(
        3, 1, 1
    )
    smooth[:, height // 2 : 7 * height // 8, 5 * width // 8 : 3 * width // 4] -= 0.25
    return smooth.clamp(0, 1)[None]


def test_all_are_there_by_family():
    families = {}
    for name, corruption in CORRUPTIONS.items():
        families.setdefault(corruption.family, set()).add(name)
    assert families == {
        "noise": {"gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"},
        "blur": {"defocus_blur", "glass_blur", "motion_blur", "zoom_blur"},
        "weather": {"snow", "frost", "fog", "brightness"},
        "digital": {"contrast", "elastic_transform", "pixelate", "jpeg_compression", "saturate"},
    }


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize(("height", "width"), [(8, 8), (32, 32), (64, 40), (224, 224)])
def test_each_severity_is_stronger_than_the_last(name, height, width):
    images = torch.cat([scene(height, width, seed) for seed in range(1 if height == 224 else 8)])
    changes = [
        float((CORRUPTIONS[name](images, severity, drawn(1)) - images).square().mean())
        for severity in SEVERITIES
    ]
    assert changes[0] > 1e-5
    for milder, stronger in itertools.pairwise(changes):
        assert stronger > milder * 1.01


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_worst_leaves_something_of_a_photograph(name):
    """What is spoilt still resembles the image, more than another image does."""
    images = torch.cat([scene(224, 224, seed) for seed in (0, 1)])
    spoilt = CORRUPTIONS[name](images, 5, drawn(1))
    own, other = ((one - one.mean((1, 2, 3), keepdim=True)).flatten() for one in (images, images.flip(0)))
    theirs = (spoilt - spoilt.mean((1, 2, 3), keepdim=True)).flatten()
    cosines = [float(torch.cosine_similarity(theirs, one, dim=0)) for one in (own, other)]
    assert cosines[0] > 0.2
    assert cosines[0] > cosines[1] + 0.05


@given(
    name=st.sampled_from(list(CORRUPTIONS)),
    severity=st.sampled_from(SEVERITIES),
    shape=st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(8, 45), st.integers(8, 45)),
    dtype=st.sampled_from([torch.float16, torch.float32, torch.float64]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150)
def test_any_image_stays_an_image_and_equal_seeds_give_equal_ones(name, severity, shape, dtype, seed):
    images = torch.rand(shape, generator=drawn(seed)).round(decimals=1).to(dtype)  # with 0 and 1 among them
    images[0] = 0
    before = images.clone()
    state = torch.random.get_rng_state()
    found = CORRUPTIONS[name](images, severity, drawn(seed))
    assert found.shape == images.shape
    assert found.dtype == dtype
    assert bool(((found >= 0) & (found <= 1)).all())
    assert torch.equal(images, before)
    assert torch.equal(found, CORRUPTIONS[name](images, severity, drawn(seed)))
    assert torch.equal(torch.random.get_rng_state(), state)


DRAWING = set(CORRUPTIONS) - {
    "defocus_blur",
    "zoom_blur",
    "brightness",
    "contrast",
    "pixelate",
    "jpeg_compression",
    "saturate",
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_images_of_a_batch_are_spoilt_each_by_itself(name):
    """Two equal images differ in what is drawn for them, and in nothing where nothing is drawn."""
    pair = scene(32, 32).expand(2, -1, -1, -1)
    first, second = CORRUPTIONS[name](pair, 3, drawn(0))
    assert torch.allclose(first, second, atol=1e-5) == (name not in DRAWING)
    again = CORRUPTIONS[name](pair, 3, drawn(1))[0]
    assert torch.allclose(first, again, atol=1e-5) == (name not in DRAWING)


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - DRAWING))
def test_what_draws_nothing_does_to_an_image_what_it_does_alone(name):
    images = torch.cat([scene(40, 32, seed) for seed in range(3)])
    together = CORRUPTIONS[name](images, 4, drawn(0))
    alone = torch.cat([CORRUPTIONS[name](image[None], 4, drawn(0)) for image in images])
    assert torch.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_memory_that_lies_otherwise_gives_the_same(name):
    images = torch.cat([scene(24, 32, seed) for seed in range(3)])
    elsewhere = images.contiguous(memory_format=torch.channels_last)
    pair = [CORRUPTIONS[name](each, 3, drawn(0)) for each in (images, elsewhere)]
    assert torch.allclose(*pair, atol=1e-6)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_grey_is_spoilt_unless_only_colours_would_be(name):
    grey = scene(32, 32).mean(1, keepdim=True)
    changed = not torch.equal(CORRUPTIONS[name](grey, 5, drawn(0)), grey)
    assert changed == (not CORRUPTIONS[name].colour)


@pytest.mark.parametrize(
    ("images", "severity", "law"),
    [
        (torch.zeros(1, 2, 9, 9), 1, r"images must be floats \[B, 1 or 3, H, W\].*\[1, 2, 9, 9\]"),
        (torch.zeros(3, 9, 9), 1, "images must be floats"),
        (torch.zeros(0, 3, 9, 9), 1, "B above 0"),
        (torch.zeros(1, 3, 7, 9), 1, "sides of at least 8 pixels"),
        (torch.zeros(1, 3, 9, 9, dtype=torch.uint8), 1, "of torch.uint8"),
        (torch.full((1, 3, 9, 9), 1.5), 1, r"images must be in \[0, 1\], but got values from 1.5 to 1.5"),
        (torch.full((1, 3, 9, 9), torch.nan), 1, r"images must be in \[0, 1\]"),
        (torch.zeros(1, 3, 9, 9), 0, r"the severity must be one of \(1, 2, 3, 4, 5\), but got 0"),
        (torch.zeros(1, 3, 9, 9), 6, "the severity must be one of"),
    ],
)
def test_what_is_no_image_is_refused(images, severity, law):
    with pytest.raises(ValueError, match=law):
        CORRUPTIONS["contrast"](images, severity, drawn(0))


def test_lengths_scale_with_the_shorter_side():
    scales = [
        scale_of(torch.empty(1, 1, *sides))
        for sides in ((224, 300), (112, 112), (448, 448), (32, 50), (8, 90))
    ]
    assert scales == [1, 0.5, 2, 1 / 7, 1 / 7]


def test_strengths_lie_between_those_of_two_sides():
    sides = (8, 32, round(math.sqrt(32 * 224)), 224, 500)
    ladders = (9.0, 4.0), (9.0, 1.0)
    found = [rung(torch.empty(1, 1, side, side), ladders, 2) for side in sides]
    assert found == pytest.approx([4, 4, 2, 1, 1], rel=0.01)
