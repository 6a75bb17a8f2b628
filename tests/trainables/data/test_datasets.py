from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from spaces import InputError
from tests.conftest import quadrants, small_dataset
from trainables.data import BUILT_IN, Dataset, Images, load_dataset
from trainables.data.batches import Split, epoch_order, split_on
from trainables.data.digits import _enlarge

# --- digits --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits", seed=0)


def splits(dataset: Dataset):
    return dataset.train, dataset.val, dataset.test


def test_digits_are_ten_a_class_five_hundred_and_the_rest(digits):
    assert [len(split) for split in splits(digits)] == [100, 500, 1197]
    assert np.bincount(digits.train.labels).tolist() == [10] * 10
    for split in splits(digits):
        assert split.pixels.shape == (len(split), 32, 32, 1)
        assert split.pixels.dtype == np.uint8
        assert split.labels.dtype == np.int64


def test_splits_of_digits_have_the_classes_in_proportion(digits):
    everywhere = np.bincount(load_digits().target) / 1797
    for split in (digits.val, digits.test):
        assert np.bincount(split.labels) / len(split) == pytest.approx(everywhere, abs=2 / len(split))


def test_each_digit_is_in_one_split_and_only_in_one(digits):
    """As often as it is in the original: the splits together are the data set, so they share nothing."""
    raw = load_digits()
    original = Counter(
        (int(label), _enlarge(image).tobytes()) for image, label in zip(raw.images, raw.target, strict=True)
    )
    split_up = Counter(
        (int(label), image.tobytes())
        for split in splits(digits)
        for image, label in zip(split.pixels, split.labels, strict=True)
    )
    assert split_up == original


def test_the_seed_makes_the_split(digits):
    again, other = load_dataset("digits", seed=0), load_dataset("digits", seed=1)
    for split, same, different in zip(splits(digits), splits(again), splits(other), strict=True):
        assert np.array_equal(split.pixels, same.pixels)
        assert np.array_equal(split.labels, same.labels)
        assert not np.array_equal(split.pixels, different.pixels)


def test_a_digit_keeps_its_brightness_and_may_not_be_mirrored(digits):
    assert digits.train.pixels.min() == 0
    assert digits.train.pixels.max() == 255
    assert not digits.invariances.horizontal_flip
    assert not digits.invariances.vertical_flip


# --- names ---------------------------------------------------------------------------------------------


def own(seed: int) -> Dataset:
    return small_dataset()


def no_dataset(seed: int) -> int:
    return seed


def test_a_data_set_of_ones_own_is_named_by_module_and_function():
    assert load_dataset(f"{__name__}:own").name == "quadrants"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digit", "did you mean 'digits'"),
        ("mnist", f"one of {', '.join(BUILT_IN)}"),
        ("no.such:thing", "must be importable"),
        (f"{__name__}:missing", "must be importable"),
        (f"{__name__}:no_dataset", "must return a Dataset, but returned a int"),
        (":own", "must have the form"),
    ],
)
def test_a_data_set_that_is_none_is_refused(name, words):
    with pytest.raises(InputError, match=words):
        load_dataset(name)


# --- batches -------------------------------------------------------------------------------------------

sizes = st.integers(1, 60)


@given(images=sizes, batch=sizes, repeats=st.integers(1, 6), seed=st.integers(0, 2**63 - 1))
def test_an_epoch_shows_each_image_as_often_as_it_repeats_up_to_the_rest(images, batch, repeats, seed):
    order = epoch_order(images, batch, repeats, seed)
    rows = torch.cat(order).tolist()
    if batch <= images * repeats:
        assert {len(step) for step in order} == {batch}
        assert len(order) == images * repeats // batch
    else:
        assert len(order) == 1
        assert len(rows) == images * repeats
    counts = np.bincount(rows, minlength=images)
    assert counts.max() <= repeats
    dropped = images * repeats - len(rows)
    assert (repeats - counts).sum() == dropped
    assert dropped < batch
    whole, rest = divmod(len(rows), images)
    for passed in range(whole):  # one permutation after the other, not a draw with luck
        assert sorted(rows[passed * images : (passed + 1) * images]) == list(range(images))
    assert len(set(rows[len(rows) - rest :])) == rest


@given(seed=st.integers(0, 2**63 - 2))
def test_the_order_follows_from_the_seed_alone(seed):
    before = torch.get_rng_state()
    once = torch.cat(epoch_order(50, 10, 2, seed))
    assert torch.equal(once, torch.cat(epoch_order(50, 10, 2, seed)))
    assert not torch.equal(once, torch.cat(epoch_order(50, 10, 2, seed + 1)))
    assert torch.equal(before, torch.get_rng_state())


@given(rows=st.lists(st.integers(0, 11), min_size=1, max_size=20), channels=st.sampled_from([1, 3]))
def test_a_batch_holds_the_rows_asked_for_in_0_to_1(rows, channels):
    images = quadrants(12, channels, 0, side=8)
    pixels, labels = Split(images, torch.device("cpu")).take(torch.tensor(rows))
    assert pixels.dtype == torch.float32
    assert torch.equal(
        (pixels * 255).round().byte().permute(0, 2, 3, 1), torch.from_numpy(images.pixels[rows])
    )
    assert labels.tolist() == images.labels[rows].tolist()


@given(size=st.integers(1, 40))
def test_in_order_gives_every_image_once(size):
    split = Split(quadrants(30, 1, 0, side=8), torch.device("cpu"))
    parts = list(split.in_order(size))
    assert max(len(labels) for _, labels in parts) <= size
    assert torch.equal(torch.cat([labels for _, labels in parts]), split.labels)
    assert torch.equal(torch.cat([pixels for pixels, _ in parts]), split.pixels / 255)


def test_shared_read_only_images_are_taken_without_a_warning_and_never_written_to():
    images = quadrants(8, 1, 0)
    images.pixels.flags.writeable = images.labels.flags.writeable = False
    before = images.pixels.copy()
    pixels, _ = Split(images, torch.device("cpu")).take(torch.arange(8))
    pixels.zero_()
    assert np.array_equal(before, images.pixels)


def with_margin(size: int = 6, side: int = 10, images: int = 5) -> Images:
    """Pictures in which each pixel says where it is."""
    y, x = np.mgrid[:side, :side]
    pixels = np.stack([np.zeros_like(y), y, x], axis=-1)[None].repeat(images, axis=0)
    pixels[..., 0] = np.arange(images)[:, None, None]
    rows = np.arange(images - 1, 0, -1)
    return Images(pixels.astype(np.uint8), rows.copy(), rows, size=size)


def test_evaluation_cuts_from_the_middle():
    images = with_margin()
    assert images.shown == 6
    split = Split(images, torch.device("cpu"))
    pixels, labels = split.take(torch.tensor([0, 2]))
    assert pixels.shape == (2, 3, 6, 6)
    assert labels.tolist() == [4, 2]
    for picture, label in zip((pixels * 255).round().int(), labels, strict=True):
        assert (picture[0] == label).all()
        assert picture[1, :, 0].tolist() == picture[2, 0].tolist() == list(range(2, 8))
    assert torch.equal(torch.cat([part for part, _ in split.in_order(3)]), split.take(torch.arange(4))[0])


def test_training_cuts_from_anywhere_by_torchs_random_numbers():
    split = Split(with_margin(), torch.device("cpu"))
    torch.manual_seed(0)
    corners = set()
    for _ in range(200):
        pixels, labels = split.draw(torch.tensor([3, 0]))
        numbers = (pixels * 255).round().int()
        assert numbers.shape == (2, 3, 6, 6)
        assert numbers[:, 0, 0, 0].tolist() == labels.tolist() == [1, 4]
        for picture in numbers:
            top, left = int(picture[1, 0, 0]), int(picture[2, 0, 0])
            assert torch.equal(picture[1], torch.arange(top, top + 6).view(6, 1).expand(6, 6).int())
            assert torch.equal(picture[2], torch.arange(left, left + 6).expand(6, 6).int())
            corners.add((top, left))
    assert corners == {(y, x) for y in range(5) for x in range(5)}
    torch.manual_seed(7)
    first = split.draw(torch.arange(4))[0]
    torch.manual_seed(7)
    assert torch.equal(first, split.draw(torch.arange(4))[0])


def test_without_a_margin_nothing_is_drawn():
    split = Split(quadrants(8, 1, 0), torch.device("cpu"))
    before = torch.get_rng_state()
    assert torch.equal(split.draw(torch.arange(8))[0], split.take(torch.arange(8))[0])
    assert torch.equal(before, torch.get_rng_state())


def test_a_fingerprint_is_of_pixels_labels_and_splits():
    from dataclasses import replace

    base = load_dataset("digits", seed=0)
    assert base.fingerprint() == load_dataset("digits", seed=0).fingerprint()
    pixels = base.val.pixels.copy()
    pixels[0, 0, 0, 0] ^= 1
    labels = base.train.labels.copy()
    labels[0] = (labels[0] + 1) % 10
    others = [
        replace(base, val=replace(base.val, pixels=pixels)),
        replace(base, train=replace(base.train, labels=labels)),
        replace(base, val=base.test, test=base.val),
        replace(base, classes=base.classes[::-1]),
        load_dataset("digits", seed=1),
    ]
    assert len({base.fingerprint(), *(other.fingerprint() for other in others)}) == 6


def test_a_split_is_on_a_card_once_for_all_trials_of_a_process():
    """On a device that is everywhere: `meta` keeps shapes only."""
    card, processor = torch.device("meta"), torch.device("cpu")
    images = [quadrants(8, 1, seed) for seed in range(6)]
    first = split_on(images[0], card)
    assert split_on(images[0], card) is first
    assert split_on(replace(images[0]), card) is not first
    assert split_on(images[0], processor) is not split_on(
        images[0], processor
    )  # there it is shared memory anyway
    for others in images[1:]:
        split_on(others, card)
    assert split_on(images[0], card) is not first  # many folds do not pile up
