import pytest
import torch

from trainables.soundness.corruptions import CORRUPTIONS, Corruption
from trainables.soundness.robustness import BATCH, robustness, stratified


def by_brightness(images):
    """Class 1 for what is brighter than half on average."""
    mean = images.mean((1, 2, 3))
    return torch.stack([0.5 - mean, mean - 0.5], 1)


def flat_images(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 3, 16, 16)


DARK_AND_BRIGHT = flat_images(0.25, 0.25, 0.25, 0.75)
LABELS = torch.tensor([0, 0, 0, 1])


def test_what_a_classifier_by_brightness_withstands():
    named = {name: CORRUPTIONS[name] for name in ("defocus_blur", "brightness", "contrast")}
    found = robustness(by_brightness, DARK_AND_BRIGHT, LABELS, seed=0, corruptions=named)
    assert found.clean == 1
    # 0.25 + 0.2 is still dark, 0.25 + 0.3 is bright; neither blur nor contrast changes the mean.
    assert found.accuracies == {
        "defocus_blur": (1.0,) * 5,
        "brightness": (1.0, 1.0, 0.25, 0.25, 0.25),
        "contrast": (1.0,) * 5,
    }
    assert found.families == pytest.approx({"blur": 1.0, "weather": 0.55, "digital": 1.0})
    assert found.mean == found.relative == pytest.approx(2.55 / 3)


def test_each_corruption_counts_alike_and_is_compared_with_clean_images():
    still = Corruption("blur", lambda images, severity, generator: images)
    black = Corruption("noise", lambda images, severity, generator: images * 0)
    named = {"a": still, "b": black, "c": black}
    labels = torch.tensor([0, 0, 1, 1])  # one dark image is called bright: 3 of 4 right at best
    found = robustness(by_brightness, DARK_AND_BRIGHT, labels, seed=0, corruptions=named)
    assert found.clean == 0.75
    assert found.families == {"blur": 0.75, "noise": 0.5}
    assert found.mean == pytest.approx((0.75 + 0.5 + 0.5) / 3)
    assert found.relative == pytest.approx(found.mean / 0.75)


def test_a_network_that_is_never_right_keeps_no_share():
    one = {"contrast": CORRUPTIONS["contrast"]}
    found = robustness(by_brightness, DARK_AND_BRIGHT, 1 - LABELS, seed=0, corruptions=one)
    assert (found.clean, found.mean, found.relative) == (0, 0, None)


def photographs(images: int, channels: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (images, channels, 12, 12)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator), torch.arange(images) % 3


def by_colour(images):
    return torch.cat([images.mean((2, 3)) * 40, images[:, :1, 0, 0]], 1)[:, :3]


def test_it_is_the_same_for_the_same_seed_and_for_bytes_and_floats():
    images, labels = photographs(10)
    before = images.clone()
    found = robustness(by_colour, images, labels, seed=3)
    assert found == robustness(by_colour, images.float() / 255, labels, seed=3)
    assert found != robustness(by_colour, images, labels, seed=4)
    assert torch.equal(images, before)
    assert list(found.accuracies) == list(CORRUPTIONS)
    assert set(found.families) == {"noise", "blur", "weather", "digital"}


def test_a_corruption_is_measured_alike_whichever_others_are_asked_for():
    images, labels = photographs(10)
    found = robustness(by_colour, images, labels, seed=3)
    alone = robustness(by_colour, images, labels, seed=3, corruptions={"frost": CORRUPTIONS["frost"]})
    assert alone.accuracies["frost"] == found.accuracies["frost"]


def test_images_come_in_batches_and_each_once():
    sizes = []

    def logits_of(images):
        sizes.append(len(images))
        return by_colour(images)

    images, labels = photographs(BATCH + 5)
    found = robustness(logits_of, images, labels, seed=0, corruptions={"contrast": CORRUPTIONS["contrast"]})
    assert sizes == [BATCH] * 6 + [5] * 6
    assert found.images == BATCH + 5


def test_what_is_drawn_is_another_in_each_batch_and_the_same_at_each_severity():
    seen = []

    def logits_of(images):
        seen.append(images[0])
        return by_colour(images)

    images = torch.full((2 * BATCH, 3, 12, 12), 0.5)
    named = {"gaussian_noise": CORRUPTIONS["gaussian_noise"]}
    robustness(logits_of, images, torch.arange(2 * BATCH) % 3, seed=0, corruptions=named)
    first, second = ([image - 0.5 for image in seen[start + 1 : start + 6]] for start in (0, 6))
    assert not torch.allclose(first[0], second[0])
    assert torch.allclose(first[1] / 0.06, first[0] / 0.04, atol=1e-4)


def test_colours_are_not_changed_where_there_are_none():
    images, labels = photographs(4, channels=1)
    found = robustness(lambda grey: grey.flatten(1)[:, :3], images, labels, seed=0)
    assert set(CORRUPTIONS) - set(found.accuracies) == {"saturate"}
    with pytest.raises(ValueError, match="a corruption that changes images of 1 channels, but got saturate"):
        robustness(by_colour, images, labels, seed=0, corruptions={"saturate": CORRUPTIONS["saturate"]})


def test_images_and_labels_go_together():
    images, labels = photographs(4)
    with pytest.raises(ValueError, match="as many labels, but got 4 images and 3 labels"):
        robustness(by_colour, images, labels[:3], seed=0)
    with pytest.raises(ValueError, match="but got 0 images"):
        robustness(by_colour, images[:0], labels[:0], seed=0)


def test_a_subset_is_measured_as_if_it_were_all():
    images, labels = photographs(60)
    one = {"contrast": CORRUPTIONS["contrast"]}
    rows = stratified(labels, 12, seed=1)
    found = robustness(by_colour, images, labels, seed=1, most=12, corruptions=one)
    assert found.images == 12
    assert found == robustness(by_colour, images[rows], labels[rows], seed=1, corruptions=one)


def test_a_subset_has_the_shares_of_all():
    labels = torch.tensor([0] * 50 + [1] * 30 + [2] * 15 + [3] * 5)[torch.randperm(100)]
    assert labels[stratified(labels, 20, seed=0)].bincount().tolist() == [10, 6, 3, 1]
    # Quotas 3.5, 2.1, 1.05, 0.35: the largest remainder, class 0's, has the one that is left.
    assert labels[stratified(labels, 7, seed=0)].bincount().tolist() == [4, 2, 1]


@pytest.mark.parametrize("most", [1, 2, 7, 33, 99, 100, 500])
def test_a_subset_has_as_many_rows_as_it_may_each_once(most):
    labels = torch.randint(40, (100,), generator=torch.Generator().manual_seed(most))
    rows = stratified(labels, most, seed=5)
    assert len(rows) == min(most, 100)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert torch.equal(rows, stratified(labels, most, seed=5))


def test_a_subset_is_drawn_by_its_seed_and_has_an_image():
    labels = torch.zeros(1000, dtype=torch.int64)
    assert not torch.equal(stratified(labels, 10, seed=0), stratified(labels, 10, seed=1))
    with pytest.raises(ValueError, match="most must be at least 1, but got 0"):
        stratified(labels, 0, seed=0)
