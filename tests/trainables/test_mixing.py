import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from trainables.augmentation.mixing import CutMix, Mixup, MixupOrCutMix, NoMixing
from trainables.generators import seeded

MIXINGS = {
    "none": NoMixing(),
    "mixup": Mixup(alpha=1.0),
    "cutmix": CutMix(),
    "either": MixupOrCutMix(mixup_alpha=1.0),
}


def batch(count: int, side: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Each image is its own number all over, so that what it is made of can be read from its pixels."""
    values = torch.arange(1.0, count + 1).view(-1, 1, 1, 1) * 2.0**8
    return values.expand(-1, 1, side, side).contiguous(), torch.eye(count)


def mixed(mixing, images, targets, seed=0):
    with seeded(seed):
        return mixing(images, targets)


@settings(deadline=None, max_examples=30)
@given(name=st.sampled_from(list(MIXINGS)), count=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_targets_still_sum_to_1_and_inputs_are_not_written_to(name, count, seed):
    images, targets = batch(count)
    before = images.clone(), targets.clone()
    out, soft = mixed(MIXINGS[name], images, targets, seed)
    assert out.shape == images.shape
    assert torch.allclose(soft.sum(1), torch.ones(count))
    assert soft.min() >= 0
    assert torch.equal(images, before[0])
    assert torch.equal(targets, before[1])


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), side=st.integers(3, 33))
def test_cutmix_weighs_labels_by_the_area_that_was_really_pasted(seed, side):
    count = 12
    images, targets = batch(count, side)
    out, soft = mixed(CutMix(alpha=1.0), images, targets, seed)
    for image in range(count):
        own = targets[image].argmax()
        pixels = out[image, 0]
        for source in range(count):
            area = float((pixels == images[source, 0, 0, 0]).float().mean())
            assert float(soft[image, source]) == pytest.approx(area, abs=1e-5)
        pasted = (pixels != images[own, 0, 0, 0]).nonzero()
        if len(pasted):  # what was pasted is one rectangle
            high, wide = (pasted.amax(0) - pasted.amin(0) + 1).tolist()
            assert high * wide == len(pasted)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31))
def test_mixup_fades_images_as_it_fades_labels(seed):
    images, targets = batch(12)
    out, soft = mixed(Mixup(alpha=1.0), images, targets, seed)
    assert torch.allclose(out[:, 0, 0, 0], soft @ images[:, 0, 0, 0], rtol=1e-4)


def test_each_image_has_a_weight_of_its_own():
    images, targets = batch(64)
    for mixing in (Mixup(alpha=1.0), CutMix()):
        soft = mixed(mixing, images, targets)[1]
        assert len(soft.diagonal().unique()) > 32


def test_either_is_sometimes_one_and_sometimes_the_other():
    images, targets = batch(400, side=8)
    out, soft = mixed(MixupOrCutMix(mixup_alpha=1.0), images, targets)
    values = set(images[:, 0, 0, 0].tolist())
    whole = [set(image.unique().tolist()) <= values for image in out]
    assert 130 < sum(whole) < 270
    for image, is_cut in enumerate(whole):
        assert is_cut or torch.allclose(out[image, 0, 0, 0], soft[image] @ images[:, 0, 0, 0], rtol=1e-3)


@pytest.mark.parametrize("make", [Mixup, CutMix])
def test_probability_and_alpha_say_how_many_are_mixed(make):
    images, targets = batch(500, side=8)

    def untouched(**options) -> int:
        return int((mixed(make(**options), images, targets)[1].diagonal() == 1).sum())

    assert untouched(alpha=0.0) == 500
    assert untouched(probability=0.0) == 500
    assert untouched(alpha=1.0, probability=0.5) > 200
    assert untouched(alpha=1.0, probability=0.5) < 320


def test_a_batch_of_one_stays_itself():
    images, targets = batch(1)
    for mixing in MIXINGS.values():
        out, soft = mixed(mixing, images, targets)
        assert torch.allclose(out, images)
        assert torch.equal(soft, targets)


@pytest.mark.parametrize("options", [{"alpha": -1.0}, {"probability": 1.5}])
def test_laws(options):
    with pytest.raises(ValidationError):
        Mixup(**options)
