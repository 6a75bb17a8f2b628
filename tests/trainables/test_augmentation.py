import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.augmentation import make_augmentation
from trainables.data import Invariances, load_dataset
from trainables.generators import seeded

FIXED_CAMERA = Invariances(horizontal_flip=False, vertical_flip=False, rotation=0.0, colour=False)
strengths = st.floats(0.05, 1.0)


def picture(images: int, channels: int = 1, side: int = 32) -> torch.Tensor:
    """The same picture `images` times: smooth, on a dark edge, unlike its own mirror images."""
    axis = torch.linspace(0, 1, side)
    ramp = (axis[:, None] * 0.6 + axis[None, :] * 0.3).clamp(0, 1)
    edge = torch.zeros(side, side)
    edge[6:-6, 6:-6] = 1
    return (ramp * edge).expand(images, channels, side, side).contiguous()


def augmented(images, strength, invariances=FIXED_CAMERA, seed=0):
    augment = make_augmentation(strength, invariances)
    with seeded(seed):
        return augment(images)


@settings(deadline=None, max_examples=20)
@given(strength=strengths, channels=st.sampled_from([1, 3]), seed=st.integers(0, 2**31))
def test_images_stay_images(strength, channels, seed):
    images = picture(5, channels)
    out = augmented(images, strength, Invariances(), seed)
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert out.min() >= 0
    assert out.max() <= 1


def test_each_image_gets_a_draw_of_its_own():
    out = augmented(picture(16), 0.5, Invariances())
    for one in range(16):
        for other in range(one):
            assert not torch.equal(out[one], out[other])


@pytest.mark.parametrize(
    "invariances",
    [Invariances(rotation=0.0, colour=False), Invariances(False, False, 0.0, colour=True)],
    ids=["geometry", "light"],
)
def test_each_kind_of_change_is_drawn_for_each_image(invariances):
    """Kornia's own policies draw some operations once for a batch."""
    brightness = augmented(picture(64), 0.5, invariances).mean((1, 2, 3))
    assert len(brightness.unique()) > 56


def test_strength_0_is_the_identity():
    images = picture(4, 3)
    assert augmented(images, 0, Invariances()) is images


@pytest.mark.parametrize("invariances", [FIXED_CAMERA, Invariances(False, False, 25.0, colour=True)])
def test_more_strength_changes_more(invariances):
    images = picture(256)
    distance = [
        float((augmented(images, strength, invariances) - images).abs().mean())
        for strength in (0.01, 0.1, 0.3, 0.6, 1.0)
    ]
    assert distance == sorted(distance)
    assert distance[0] < 0.1 * distance[-1]
    assert distance[1] < 0.6 * distance[-1]


def test_a_digit_is_never_mirrored_and_a_photograph_is_in_half_of_the_draws():
    images = picture(200)
    mirrored = images.flip(-1)

    def share(invariances: Invariances) -> float:
        out = augmented(images, 1e-3, invariances)  # so weak that a mirror is all there is to see
        nearer = (out - mirrored).abs().mean((1, 2, 3)) < (out - images).abs().mean((1, 2, 3))
        return float(nearer.float().mean())

    assert share(load_dataset("digits").invariances) == 0
    assert share(Invariances(horizontal_flip=True)) == pytest.approx(0.5, abs=0.12)
    upside_down = augmented(images, 1e-3, Invariances(horizontal_flip=False, vertical_flip=True))
    assert 60 < ((upside_down - images.flip(-2)).abs().mean((1, 2, 3)) < 0.01).sum() < 140


def test_where_colours_carry_the_label_they_stay():
    """A flat grey picture has no geometry: what is left to see is light, and erased rectangles."""
    flat = torch.full((64, 3, 32, 32), 0.5)
    middle = augmented(flat, 0.9, Invariances(rotation=0.0, colour=False))[..., 12:20, 12:20].flatten(1)
    assert torch.all((middle - 0.5).abs().lt(1e-4) | middle.eq(0))
    lit = augmented(flat, 0.9, Invariances(rotation=0.0, colour=True))[..., 12:20, 12:20]
    assert (lit - 0.5).abs().mean() > 0.02


def test_rotation_stays_within_what_the_labels_bear():
    """A bar through the middle leans no further than the limit, shear and all."""
    bar = torch.zeros(256, 1, 65, 65)
    bar[..., 31:34, :] = 1
    row = torch.arange(65.0).view(1, 65)

    def slope(rotation: float) -> float:
        out = augmented(bar, 1.0, Invariances(False, False, rotation, colour=False))[:, 0]
        left, right = ((out[..., x] * row).sum(1) / out[..., x].sum(1).clamp(min=1e-3) for x in (24, 40))
        seen = (out[..., 24].sum(1) > 1) & (out[..., 40].sum(1) > 1)
        return float(torch.rad2deg(torch.atan(((right - left) / 16)[seen])).abs().quantile(0.95))

    assert slope(0.0) < slope(20.0) < slope(60.0)
    assert slope(20.0) < 20 + 12 + 3  # rotation, shear, the pixels' raster


@settings(deadline=None, max_examples=15)
@given(strength=strengths, seed=st.integers(0, 2**62))
def test_the_same_seed_gives_the_same_images_and_leaves_the_callers_numbers_alone(strength, seed):
    images = picture(4)
    before = torch.get_rng_state()
    once = augmented(images, strength, Invariances(), seed)
    assert torch.equal(once, augmented(images, strength, Invariances(), seed))
    assert not torch.equal(once, augmented(images, strength, Invariances(), seed + 1))
    assert torch.equal(before, torch.get_rng_state())


def test_the_batch_itself_is_not_written_to():
    images = picture(8)
    before = images.clone()
    augmented(images, 1.0, Invariances())
    assert torch.equal(images, before)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_of_0_to_1_is_refused(strength):
    with pytest.raises(ValueError, match=r"0 <= strength <= 1.*but got strength="):
        make_augmentation(strength, Invariances())
