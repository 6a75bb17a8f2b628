"""Which images an epoch shows: quotas to the image, turns within a class, one seed one order."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from trainables.builder import from_params
from trainables.data.batches import epoch_order
from trainables.parts import PARTS, PartConfig
from trainables.seeds import derive_seed

FULL = {"strategy": "full", "strategy.full.lr": 1e-3}

counts_of_classes = st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any)
powers = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1))
seeds = st.integers(0, 2**63 - 1)


def sampling(name, **options):
    return PartConfig("sampling", name, options).make()


def labels_of(counts) -> torch.Tensor:
    """Labels in an order of their own: no class lies in one piece."""
    labels = torch.repeat_interleave(torch.tensor(counts))
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]


def shown(counts, batch, repeats, seed, power) -> tuple[torch.Tensor, torch.Tensor]:
    """The labels, and the rows of a balanced epoch one after the other."""
    labels = labels_of(counts)
    return labels, torch.cat(sampling("balanced", power=power).order(labels, batch, repeats, seed))


@given(images=st.integers(1, 60), batch=st.integers(1, 60), repeats=st.integers(1, 6), seed=seeds)
def test_shuffled_is_the_order_of_permutations_bit_by_bit(images, batch, repeats, seed):
    order = sampling("shuffled").order(torch.arange(images) % 3, batch, repeats, seed)
    generator = torch.Generator().manual_seed(seed)
    passes = torch.cat([torch.randperm(images, generator=generator) for _ in range(repeats)])
    steps = max(1, len(passes) // batch)
    expected = list(passes[: steps * batch].split(batch))
    assert len(order) == len(expected)
    assert all(map(torch.equal, order, expected))


def test_shuffled_gives_the_rows_it_gave_before_sampling_was_a_choice():
    order = sampling("shuffled").order(torch.tensor([0, 0, 1, 1, 2, 2]), 4, 2, 7)
    assert [rows.tolist() for rows in order] == [[3, 0, 1, 5], [2, 4, 3, 0], [5, 4, 2, 1]]


@given(
    counts=counts_of_classes, batch=st.integers(1, 60), repeats=st.integers(1, 6), seed=seeds, power=powers
)
def test_balanced_has_the_steps_of_shuffled(counts, batch, repeats, seed, power):
    labels = labels_of(counts)
    order = sampling("balanced", power=power).order(labels, batch, repeats, seed)
    assert [len(rows) for rows in order] == [
        len(rows) for rows in epoch_order(len(labels), batch, repeats, 0)
    ]


@given(
    counts=counts_of_classes, batch=st.integers(1, 60), repeats=st.integers(1, 6), seed=seeds, power=powers
)
def test_quotas_are_exact_by_largest_remainders(counts, batch, repeats, seed, power):
    labels, rows = shown(counts, batch, repeats, seed, power)
    quotas = labels[rows].bincount(minlength=len(counts)).tolist()
    wanted = [n ** (1.0 - power) if n else 0.0 for n in counts]
    exact = [len(rows) * share / math.fsum(wanted) for share in wanted]
    remainders = []
    for quota, share in zip(quotas, exact, strict=True):
        assert abs(quota - share) < 1 - 1e-12 or share == quota
        remainders.append((share - math.floor(share + 1e-9), quota > share + 1e-9))
    up = [rest for rest, is_up in remainders if is_up]
    down = [rest for rest, is_up in remainders if not is_up]
    assert not up or not down or min(up) >= max(down) - 1e-6


@given(counts=counts_of_classes, batch=st.integers(1, 60), repeats=st.integers(1, 6), seed=seeds)
def test_at_full_power_all_classes_are_shown_equally_often_and_at_none_as_they_are(
    counts, batch, repeats, seed
):
    labels, rows = shown(counts, batch, repeats, seed, 1.0)
    quotas = labels[rows].bincount(minlength=len(counts))[torch.tensor(counts) > 0]
    assert quotas.max() - quotas.min() <= 1
    labels, rows = shown(counts, 1, repeats, seed, 0.0)
    assert labels[rows].bincount(minlength=len(counts)).tolist() == [n * repeats for n in counts]


@given(
    counts=counts_of_classes, batch=st.integers(1, 60), repeats=st.integers(1, 6), seed=seeds, power=powers
)
def test_the_images_of_a_class_take_turns(counts, batch, repeats, seed, power):
    labels, rows = shown(counts, batch, repeats, seed, power)
    for label, images in enumerate(counts):
        own = rows[labels[rows] == label].tolist()
        for start in range(
            0, len(own), max(images, 1)
        ):  # one permutation after the other, not a draw with luck
            turn = own[start : start + images]
            assert len(set(turn)) == len(turn)


def test_the_square_root_of_sizes_by_hand():
    """1, 4 and 25 images are shown as 1 : 2 : 5."""
    labels, rows = shown([1, 4, 25], 8, 4, 0, 0.5)  # 120 rows
    assert labels[rows].bincount().tolist() == [15, 30, 75]
    assert rows.bincount(minlength=30)[labels == 0].tolist() == [15]


@given(counts=counts_of_classes, seed=st.integers(0, 2**63 - 2), power=powers)
def test_the_order_follows_from_the_seed_alone(counts, seed, power):
    assume(sum(counts) > 20)
    before = torch.get_rng_state()
    _, once = shown(counts, 4, 2, seed, power)
    assert torch.equal(once, shown(counts, 4, 2, seed, power)[1])
    assert not torch.equal(once, shown(counts, 4, 2, seed + 1, power)[1])
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_left_over_goes_to_no_class_every_time():
    """16 rows for three classes: each of them has the odd one in about a third of the epochs."""
    labels = labels_of([4, 4, 8])
    odd = torch.zeros(3, dtype=torch.int64)
    for seed in range(90):
        rows = torch.cat(sampling("balanced").order(labels, 16, 1, seed))
        odd += labels[rows].bincount() - 5
    assert odd.sum() == 90
    assert odd.min() > 15


def test_common_images_are_others_in_each_epoch():
    labels = labels_of([40, 4])
    common = set((labels == 0).nonzero().flatten().tolist())
    epochs = [torch.cat(sampling("balanced").order(labels, 4, 1, seed)).tolist() for seed in range(12)]
    assert all(len(common & set(rows)) == 22 for rows in epochs)
    assert common <= set().union(*map(set, epochs))


@pytest.mark.parametrize("name", PARTS["sampling"])
def test_the_loop_trains_on_what_sampling_orders(name, fixed, material, monkeypatch):
    trainable = from_params({**FULL, "sampling": name}, fixed, 0, material)
    taken, take = [], trainable.train.take

    def seen(rows):
        taken.append(rows)
        return take(rows)

    monkeypatch.setattr(trainable.train, "take", seen)
    next(trainable.epochs())
    labels = torch.from_numpy(material.train.labels)
    seed = derive_seed(0, "order", 1)
    order = sampling(name).order(labels, fixed.batch_size, fixed.repeats, seed)
    trained = taken[: trainable.steps_per_epoch]
    assert len(trained) == len(order)
    assert all(map(torch.equal, trained, order))
