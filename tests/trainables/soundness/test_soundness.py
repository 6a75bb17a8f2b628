"""What is kept of a network's soundness: by hand, by references, and over several networks."""

from __future__ import annotations

import json
import math

import pytest
import torch
from scipy.stats import fisher_exact

from trainables.soundness.calibration import calibrate
from trainables.soundness.coverage import coverage
from trainables.soundness.judging import calibrated_error, judge
from trainables.soundness.outcomes import outcomes
from trainables.soundness.soundness import GRID, ClassCounts, Confusion, Soundness, pooled

NAMES = ("cat", "dog", "eel")


def said(
    seed: int, images: int = 300, sure: float = 3.0, skill: float = 2.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of a network of some skill that is too sure, or not sure enough, of itself."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(len(NAMES), (images,), generator=generator)
    logits = torch.randn(images, len(NAMES), generator=generator)
    logits[torch.arange(images), labels] += skill
    return sure * logits, labels


def judged(seed: int, **how: float) -> Soundness:
    found = judge(*said(seed, **how), *said(seed + 1000, **how), NAMES)
    assert found is not None
    return found


def test_counts_and_confusions_by_hand():
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    guesses = torch.tensor([0, 1, 1, 1, 2, 1])
    logits = 3.0 * torch.nn.functional.one_hot(guesses, 3)
    found = judge(logits, labels, logits, labels, NAMES)
    assert found.classes == (ClassCounts(3, 1, 1), ClassCounts(2, 4, 1), ClassCounts(1, 1, 0))
    assert found.confusions == (Confusion(0, 1, 2), Confusion(1, 2, 1), Confusion(2, 1, 1))
    assert found.accuracy == pytest.approx(2 / 6)
    assert [one.recall for one in found.classes] == pytest.approx([1 / 3, 1 / 2, 0.0])
    assert [one.precision for one in found.classes] == pytest.approx([1.0, 1 / 4, 0.0])
    assert ClassCounts(0, 0, 0).recall is ClassCounts(0, 0, 0).precision is None


def test_figures_are_those_of_the_parts_that_they_come_from():
    (logits, labels), (chosen, truth) = said(0), said(1000)
    found, reference = judged(0), calibrate(chosen, truth, logits, labels)
    assert found.temperature == reference.temperature > 1
    assert (found.before, found.after) == (reference.before, reference.after)
    assert found.after.reliability.ece < found.before.reliability.ece
    curve = coverage(logits, labels)
    for share, accuracy in zip(GRID, found.coverage, strict=True):
        surest = outcomes(logits, labels).confidence.argsort(descending=True)[
            : math.ceil(share * len(labels))
        ]
        assert accuracy == pytest.approx(float((logits.argmax(1) == labels)[surest].double().mean()))
    assert found.coverage[-1] == found.accuracy == curve.points[-1].accuracy


def test_the_threshold_is_chosen_on_one_split_and_judged_on_the_other():
    (logits, labels), (chosen, truth) = said(0), said(1000)
    found = judged(0).deferral
    errors = float((chosen.argmax(1) != truth).double().mean())
    sure = outcomes(chosen, truth)
    kept = sure.confidence >= found.threshold
    assert float((~sure.right)[kept].double().mean()) <= errors / 2
    here = outcomes(logits, labels)
    kept = here.confidence >= found.threshold
    assert found.coverage == pytest.approx(float(kept.double().mean()))
    assert found.accuracy == pytest.approx(float(here.right[kept].double().mean()))


def test_of_a_validation_split_without_errors_nothing_is_chosen():
    logits, labels = said(0)
    found = judge(logits, labels, 9.0 * torch.eye(3), torch.arange(3), NAMES)
    assert found.deferral is found.temperature is found.after is None


def test_outputs_that_are_not_finite_cannot_be_judged():
    logits, labels = said(0)
    wrong = logits.clone()
    wrong[3, 1] = float("nan")
    assert judge(wrong, labels, logits, labels, NAMES) is None
    assert judge(logits, labels, wrong, labels, NAMES) is None


def test_it_goes_through_json_as_it_is():
    for found in (judged(0), pooled([judged(0), judged(1)])):
        assert Soundness.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_several_networks_are_sums_of_counts_and_means_of_figures():
    one, two, three = judged(0), judged(1), judged(2)
    found = pooled([one, two, three])
    assert pooled([one]) is one
    assert found.networks == 3
    assert found.images == 300
    assert found.accuracy == pytest.approx((one.accuracy + two.accuracy + three.accuracy) / 3)
    assert sum(pair.images for pair in found.confusions) == sum(
        pair.images for part in (one, two, three) for pair in part.confusions
    )
    assert found.temperature == pytest.approx(
        (one.temperature * two.temperature * three.temperature) ** (1 / 3)
    )
    eces = [part.before.reliability.ece for part in (one, two, three)]
    assert found.before.reliability.ece == pytest.approx(sum(eces) / 3)
    bins = found.before.reliability.bins
    assert sum(part.count for part in bins) == 900
    assert sum(part.count * (part.accuracy or 0) for part in bins) == pytest.approx(900 * found.accuracy)
    # Pooling may be done by parts.
    again = pooled([pooled([one, two]), three])
    assert again.networks == 3
    assert again.classes == found.classes
    assert again.before.nll == pytest.approx(found.before.nll)
    assert again.temperature == pytest.approx(found.temperature)


def test_what_one_network_lacks_several_lack():
    logits, labels = said(0)
    without = judge(logits, labels, 9.0 * torch.eye(3), torch.arange(3), NAMES)
    found = pooled([judged(0), without])
    assert found.temperature is found.after is found.deferral is None


def network_of(recalls: list[float], images: int, seed: int, networks: int = 1) -> Soundness:
    """Classes of equal size, each recognised so often; all networks miss the same images."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for recall in recalls:
        right = int((torch.rand(images, generator=generator) < recall).sum())
        rows.append(ClassCounts(networks * images, networks * images, networks * right))
    whole = judged(0)
    names = tuple(map(str, range(len(recalls))))
    return Soundness(
        networks, images * len(recalls), names, tuple(rows), (), whole.before, 0.1, whole.coverage
    )


def test_of_classes_that_are_alike_one_is_called_weak_once_in_twenty_studies_at_most():
    for networks in (1, 3):  # three networks that agree know no more than one
        named = sum(bool(network_of([0.8] * 8, 30, seed, networks).weak()) for seed in range(200))
        assert named <= 0.05 * 200 + 3 * math.sqrt(200 * 0.05 * 0.95)


def test_a_weak_class_is_named_and_no_other():
    found = [network_of([0.9, 0.9, 0.5, 0.9], 60, seed).weak() for seed in range(50)]
    assert sum(one == [2] for one in found) >= 48
    assert network_of([0.9, 0.3, 0.5, 0.9, 0.9, 0.9], 200, 0).weak() == [1, 2]
    assert network_of([0.9], 60, 0).weak() == []


def test_the_chance_of_a_weak_class_is_fishers():
    # Just about where the correction of two classes lets it pass: 0.05 / 2 one-sided.
    for right, named in ((11, True), (12, False)):
        rows = (ClassCounts(20, 20, right), ClassCounts(80, 80, 66))
        whole = judged(0)
        found = Soundness(1, 100, ("a", "b"), rows, (), whole.before, 0.1, whole.coverage)
        chance = fisher_exact([[right, 20 - right], [66, 14]], alternative="less").pvalue
        assert bool(chance < 0.025) is named
        assert (found.weak() == [0]) is named


def test_nineteen_of_twenty_calibrated_networks_stay_below_the_error_of_chance():
    generator = torch.Generator().manual_seed(0)
    exceeded, studies = 0, 300
    for _ in range(studies):
        logits = 2.0 * torch.randn(150, 4, generator=generator)
        labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        found = judge(logits, labels, logits, labels, tuple("abcd"))
        exceeded += found.before.reliability.ece > found.chance
    assert 0.02 * studies <= exceeded <= 0.09 * studies
    sure = outcomes(torch.tensor([[50.0, 0.0]] * 10), torch.zeros(10, dtype=torch.long))
    assert calibrated_error(sure) == pytest.approx(0.0, abs=1e-9)
