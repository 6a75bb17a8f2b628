import math

import kornia
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.augmentation import operations as ops
from trainables.augmentation.auto_augment import POLICIES, AutoAugment
from trainables.augmentation.blemishes import Erasing, Noise, blurred
from trainables.augmentation.colour import Colour, recolour
from trainables.augmentation.curriculum import (
    ConstantStrength,
    CosineStrength,
    LinearStrength,
    StepStrength,
)
from trainables.augmentation.geometry import Geometry, warp
from trainables.augmentation.rand_augment import RandAugment
from trainables.augmentation.standard import Standard
from trainables.augmentation.trivial_augment import TrivialAugment
from trainables.data import Invariances, load_dataset
from trainables.generators import seeded

FIXED_CAMERA = Invariances(horizontal_flip=False, vertical_flip=False, rotation=0.0, colour=False, crop=False)
POLICY = {
    "standard": Standard(),
    "trivial": TrivialAugment(),
    "rand": RandAugment(),
    **{f"auto {name}": AutoAugment(policy=name) for name in POLICIES},
}
strengths = st.floats(0.05, 1.0)


def picture(images: int, channels: int = 1, side: int = 32) -> torch.Tensor:
    """The same picture `images` times: smooth, on a dark edge, unlike its own mirror images."""
    axis = torch.linspace(0, 1, side)
    ramp = (axis[:, None] * 0.6 + axis[None, :] * 0.3).clamp(0, 1)
    edge = torch.zeros(side, side)
    edge[6:-6, 6:-6] = 1
    return (ramp * edge).expand(images, channels, side, side).contiguous()


def smooth(images: int, side: int = 32) -> torch.Tensor:
    """Colourful pictures without an edge that interpolation could be judged by."""
    y, x = torch.meshgrid(torch.linspace(0, 3, side), torch.linspace(0, 3, side), indexing="ij")
    waves = [torch.sin(x * (1 + k)) * torch.cos(y * (2 - 0.3 * k)) * 0.4 + 0.5 for k in range(3)]
    return torch.stack(waves).expand(images, 3, side, side).contiguous()


def augmented(images, strength, invariances=FIXED_CAMERA, seed=0, policy=None):
    change = (policy or Standard()).at(strength, invariances)
    with seeded(seed):
        return change(images)


@settings(deadline=None, max_examples=40)
@given(
    policy=st.sampled_from(list(POLICY)),
    strength=strengths,
    channels=st.sampled_from([1, 3, 4]),
    seed=st.integers(0, 2**31),
)
def test_images_stay_images_and_the_batch_is_not_written_to(policy, strength, channels, seed):
    images = picture(9, channels)
    before = images.clone()
    out = augmented(images, strength, Invariances(), seed, POLICY[policy])
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert out.min() >= 0
    assert out.max() <= 1
    assert torch.equal(images, before)


@pytest.mark.parametrize("policy", POLICY)
def test_each_image_gets_a_draw_of_its_own(policy):
    out = augmented(smooth(24), 1.0, Invariances(), policy=POLICY[policy])
    same = sum(torch.equal(out[one], out[other]) for one in range(24) for other in range(one))
    assert same <= 3  # a policy may do nothing to two images; never the same thing to all


@pytest.mark.parametrize("policy", ["trivial", "rand", "auto imagenet"])
def test_operations_are_drawn_for_each_image_and_not_once_for_the_batch(policy, monkeypatch):
    """Kornia's own auto policies draw an operation for the whole batch."""
    sizes = []
    real = ops.apply_each

    def spy(images, known, chosen, magnitudes, drawn):
        sizes.append((len(chosen[drawn].unique()), len(magnitudes[drawn].unique())))
        return real(images, known, chosen, magnitudes, drawn)

    module = type(POLICY[policy]).__module__
    monkeypatch.setattr(f"{module}.apply_each", spy)
    augmented(smooth(64), 1.0, Invariances(), policy=POLICY[policy])
    assert all(kinds >= 5 for kinds, _ in sizes)
    assert policy != "trivial" or sizes[0][1] > 40


@pytest.mark.parametrize("policy", POLICY)
def test_strength_0_is_the_identity(policy):
    images = picture(4, 3)
    assert augmented(images, 0, Invariances(), policy=POLICY[policy]) is images


@pytest.mark.parametrize("policy", POLICY)
@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_of_0_to_1_is_refused(strength, policy):
    with pytest.raises(ValueError, match=r"0 <= strength <= 1.*but got strength="):
        POLICY[policy].at(strength, Invariances())


@pytest.mark.parametrize("policy", ["standard", "trivial", "rand", "auto cifar10"])
@pytest.mark.parametrize("invariances", [FIXED_CAMERA, Invariances(False, False, 25.0, colour=True)])
def test_more_strength_changes_more(invariances, policy):
    images = picture(256)
    distance = [
        float((augmented(images, strength, invariances, policy=POLICY[policy]) - images).abs().mean())
        for strength in (0.01, 0.3, 1.0)
    ]
    assert distance == sorted(distance)
    assert distance[0] < 0.2 * distance[-1]


def test_a_digit_is_never_mirrored_and_a_photograph_is_in_half_of_the_draws():
    images = picture(200)
    mirrored = images.flip(-1)

    def share(invariances: Invariances, policy=None) -> float:
        out = augmented(images, 1e-3, invariances, policy=policy)  # so weak that a mirror is all there is
        nearer = (out - mirrored).abs().mean((1, 2, 3)) < (out - images).abs().mean((1, 2, 3))
        return float(nearer.float().mean())

    for policy in (Standard(), Standard(vertical_flip=True), TrivialAugment(), RandAugment()):
        assert share(load_dataset("digits").invariances, policy) == 0
        assert share(Invariances(horizontal_flip=True), policy) == pytest.approx(0.5, abs=0.12)


def test_upside_down_only_where_it_is_asked_for():
    images = picture(200)

    def upside_down(policy, invariances) -> int:
        out = augmented(images, 1e-3, invariances, policy=policy)
        return int(((out - images.flip(-2)).abs().mean((1, 2, 3)) < 0.02).sum())

    still = Invariances(horizontal_flip=False)
    assert upside_down(Standard(), Invariances()) == 0
    assert upside_down(Standard(vertical_flip=True), still) == 0  # the data set has the last word
    assert 30 < upside_down(Standard(vertical_flip=True), Invariances()) < 80
    assert 60 < upside_down(Standard(), Invariances(horizontal_flip=False, vertical_flip=True)) < 140


@pytest.mark.parametrize("policy", POLICY)
def test_where_colours_carry_the_label_they_stay(policy):
    """A flat picture has no geometry: what is left to see is light; erased rectangles and noise apart."""
    quiet = {"standard": Standard(noise=0.0)}
    policy = quiet.get(policy, POLICY[policy])
    flat = torch.full((64, 3, 32, 32), 0.5)
    still = Invariances(rotation=30.0, colour=False)
    middle = augmented(flat, 0.9, still, policy=policy)[..., 12:20, 12:20].flatten(1)
    assert torch.all((middle - 0.5).abs().lt(1e-4) | middle.eq(0))
    lit = augmented(flat, 0.9, Invariances(rotation=0.0), policy=policy)[..., 12:20, 12:20]
    assert (lit - 0.5).abs().mean() > 0.004


@pytest.mark.parametrize("policy", ["standard", "trivial", "rand", "auto imagenet"])
def test_rotation_stays_within_what_the_labels_bear(policy):
    """A bar through the middle leans no further than the limit, shear and all."""
    bar = torch.zeros(256, 1, 65, 65)
    bar[..., 31:34, :] = 1
    row = torch.arange(65.0).view(1, 65)
    chosen = Standard(blur=0.0, noise=0.0, erasing=0.0) if policy == "standard" else POLICY[policy]

    def slope(rotation: float) -> float:
        still = Invariances(False, False, rotation, colour=False, crop=False)
        out = augmented(bar, 1.0, still, policy=chosen)[:, 0]
        left, right = ((out[..., x] * row).sum(1) / out[..., x].sum(1).clamp(min=1e-3) for x in (24, 40))
        seen = (out[..., 24].sum(1) > 1) & (out[..., 40].sum(1) > 1)
        return float(torch.rad2deg(torch.atan(((right - left) / 16)[seen])).abs().quantile(0.95))

    shear = {"standard": 10.0}.get(policy, math.degrees(math.atan(0.3)))
    assert slope(0.0) <= slope(20.0) + 1e-3
    assert slope(20.0) < 20 + shear + 4  # rotation, shear (twice in two operations is rarer than 5 %), raster


@settings(deadline=None, max_examples=15)
@given(policy=st.sampled_from(list(POLICY)), seed=st.integers(0, 2**62))
def test_the_same_seed_gives_the_same_images_and_leaves_the_callers_numbers_alone(policy, seed):
    images = smooth(8)
    before = torch.get_rng_state()
    once = augmented(images, 0.7, Invariances(), seed, POLICY[policy])
    assert torch.equal(once, augmented(images, 0.7, Invariances(), seed, POLICY[policy]))
    assert not torch.equal(once, augmented(images, 0.7, Invariances(), seed + 1, POLICY[policy]))
    assert torch.equal(before, torch.get_rng_state())


# --- against kornia ------------------------------------------------------------------------------------


def test_one_lookup_is_kornias_affine():
    """Rotation, scale and shift about the middle, against `kornia.geometry`'s own matrices."""
    images = smooth(6, side=48)
    angle = torch.tensor([0.0, 10.0, -25.0, 45.0, 90.0, 5.0])
    scale = torch.tensor([1.0, 1.1, 0.9, 1.2, 1.0, 0.8])
    middle = torch.full((6, 2), 23.5)
    forward = kornia.geometry.get_rotation_matrix2d(middle, angle, scale[:, None].expand(-1, 2))
    theirs = kornia.geometry.warp_affine(
        images, forward, (48, 48), padding_mode="reflection", align_corners=True
    )
    turn = torch.deg2rad(angle)
    cos, sin = turn.cos() / scale, turn.sin() / scale
    zero = torch.zeros(6)
    ours = warp(
        images, torch.stack([torch.stack([cos, -sin, zero]), torch.stack([sin, cos, zero])]).permute(2, 0, 1)
    )
    assert (ours - theirs)[..., 8:-8, 8:-8].abs().max() < 5e-3


def test_a_crop_is_a_crop():
    """Only cropping: each new image is a part of the old one, scaled up, of at least the area that stays."""
    geometry = Geometry(crop=0.3)
    with seeded(0):
        matrices = geometry.draw(2000)
    wide, high = matrices[:, 0, 0], matrices[:, 1, 1]
    assert torch.all(matrices[:, 0, 1] == 0)
    assert (wide * high).min() >= 0.7 - 1e-6
    assert wide.max() <= 1
    assert (matrices[:, 0, 2].abs() + wide).max() <= 1 + 1e-6  # never beyond an edge
    assert (matrices[:, 1, 2].abs() + high).max() <= 1 + 1e-6
    assert (wide * high).mean() == pytest.approx(0.85, abs=0.02)


def test_geometry_without_extent_moves_nothing():
    images = smooth(3)
    assert torch.allclose(Geometry()(images), images, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(factor=st.floats(0.2, 1.8), seed=st.integers(0, 1000))
def test_light_and_saturation_are_kornias(factor, seed):
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 0.5 + 0.1
    factors = torch.full((3,), factor)
    assert torch.allclose(recolour(images, brightness=factors), (images * factor).clamp(0, 1), atol=1e-5)
    saturated = kornia.enhance.adjust_saturation_with_gray_subtraction(images, factors)
    assert torch.allclose(recolour(images, saturation=factors), saturated, atol=2e-3)
    spread = kornia.enhance.adjust_contrast_with_mean_subtraction(images, factors)
    assert torch.allclose(recolour(images, contrast=factors), spread, atol=2e-3)


def test_hue_turns_colours_and_leaves_grey():
    grey = torch.full((2, 3, 4, 4), 0.4)
    assert torch.allclose(recolour(grey, hue=torch.tensor([0.3, -0.4])), grey, atol=1e-3)
    red = torch.zeros(1, 3, 1, 1)
    red[:, 0] = 0.5
    third = recolour(red, hue=torch.tensor([1 / 3]))[0, :, 0, 0]
    other = recolour(red, hue=torch.tensor([-1 / 3]))[0, :, 0, 0]
    assert {int(third.argmax()), int(other.argmax())} == {1, 2}  # a third of the circle either way
    back = recolour(recolour(smooth(1) * 0.4 + 0.3, hue=torch.tensor([0.05])), hue=torch.tensor([-0.05]))
    assert torch.allclose(back, smooth(1) * 0.4 + 0.3, atol=1e-3)


def test_all_of_colour_at_once_is_one_after_the_other():
    images = smooth(2) * 0.3 + 0.3
    parts = {"brightness": 1.2, "contrast": 0.8, "saturation": 1.3, "hue": 0.03}
    factors = {name: torch.full((2,), value) for name, value in parts.items()}
    stepwise = images
    for name in parts:
        stepwise = recolour(stepwise, **{name: factors[name]})
    assert torch.allclose(recolour(images, **factors), stepwise, atol=1e-2)


def test_grey_images_get_light_and_contrast():
    out = Colour(0.4, 0.4, 0.4, 0.1)(torch.full((64, 1, 4, 4), 0.5))
    assert len(out.mean((1, 2, 3)).unique()) > 50


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0])
def test_blur_is_kornias(sigma):
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    theirs = kornia.filters.gaussian_blur2d(images, (5, 5), torch.full((3, 2), sigma))
    assert torch.allclose(blurred(images, torch.full((3,), sigma)), theirs, atol=1e-5)


def test_noise_and_erasing_touch_as_many_images_as_they_should():
    flat = torch.full((1000, 1, 16, 16), 0.5)
    with seeded(0):
        noisy = Noise(0.3, 0.1)(flat.clone())
        erased = Erasing(0.4)(flat.clone())
    assert int((noisy != flat).flatten(1).any(1).sum()) == pytest.approx(300, abs=60)
    gone = (erased == 0).flatten(1).float().mean(1)
    assert int((gone > 0).sum()) == pytest.approx(400, abs=60)
    assert gone[gone > 0].min() >= 0.01
    assert gone[gone > 0].max() <= 0.2


# --- curriculum ----------------------------------------------------------------------------------------

CURRICULA = [
    ConstantStrength(),
    LinearStrength(start=0.2),
    CosineStrength(start=0.2),
    StepStrength(start=0.2),
]


@given(peak=st.floats(0, 1), progress=st.floats(0, 1), later=st.floats(0, 1))
@pytest.mark.parametrize("curriculum", CURRICULA)
def test_a_curriculum_rises_to_its_peak(curriculum, peak, progress, later):
    first, second = sorted([progress, later])
    assert 0 <= curriculum.strength(peak, first) <= curriculum.strength(peak, second) + 1e-12
    assert curriculum.strength(peak, second) <= peak + 1e-12
    assert curriculum.strength(peak, 1.0) == pytest.approx(peak)


def test_curricula_are_their_closed_forms():
    assert LinearStrength(start=0.2, reached=0.5).strength(0.8, 0.25) == pytest.approx(0.8 * 0.6)
    assert CosineStrength(start=0.2, reached=0.5).strength(0.8, 0.25) == pytest.approx(0.8 * 0.6)
    assert CosineStrength(reached=1.0).strength(1.0, 1 / 3) == pytest.approx(0.25)
    step = StepStrength(start=0.2, at=0.3)
    assert [step.strength(1.0, p) for p in (0, 0.29, 0.3, 1)] == [0.2, 0.2, 1.0, 1.0]
    assert ConstantStrength().strength(0.4, 0.0) == 0.4
